// What a client sends on an HTTP/2 connection, after its preface or without one.
#include <cstdint>
#include <string>
#include <vector>

#include "api/http2_session.h"
#include "tests/fuzz/property.h"

namespace metastore::api {
namespace {

SessionOptions small_options() {
  SessionOptions options;
  options.limits.connection_streams_max = 100;
  options.limits.header_bytes_max = 4'096;
  options.limits.request_bytes_max = 10'000;
  options.limits.receive_slack_bytes = 1'000;
  options.limits.resets_burst_max = 50;
  return options;
}

/// Every event, if nobody answers.
std::vector<CallEvent> listen(const std::vector<BytesView>& pieces) {
  RequestIds ids;
  Http2Session session(small_options(), ids);
  std::vector<CallEvent> events;
  std::string sent;
  for (const BytesView piece : pieces) session.receive(piece, Instant(), events);
  session.write_to(sent, std::size_t{1} << 30, events);
  session.close(events);
  PROPERTY(session.calls_open() == 0);
  return events;
}

/// Every call is answered as soon as it is known, if it is not canceled before.
void serve(const std::vector<BytesView>& pieces) {
  RequestIds ids;
  Http2Session session(small_options(), ids);
  std::vector<CallEvent> events;
  std::string sent;
  for (const BytesView piece : pieces) {
    session.receive(piece, Instant(), events);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto* call = std::get_if<CallReceived>(&events[i]);
      if (call == nullptr) continue;
      bool canceled = false;
      for (std::size_t later = i + 1; later < events.size(); ++later) {
        const auto* cancel = std::get_if<CallCanceled>(&events[later]);
        canceled = canceled || (cancel != nullptr && cancel->id == call->id);
      }
      if (!canceled) session.reply(call->stream, call->message);
    }
    events.clear();
    session.write_to(sent, 1'000, events);
  }
  session.close(events);
  PROPERTY(session.calls_open() == 0);
}

}  // namespace
}  // namespace metastore::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const metastore::BytesView bytes = metastore::fuzz::view(data, size);
  const std::vector<metastore::BytesView> pieces = metastore::fuzz::cut(bytes);
  PROPERTY(metastore::api::listen(pieces) == metastore::api::listen({bytes}));
  metastore::api::serve(pieces);
  return 0;
}

// A whole door whose ports a test moves by hand, and a client at it: for tests of what the gateway does. It takes no
// part in production.
#ifndef METASTORE_API_TESTING_DOOR_H_
#define METASTORE_API_TESTING_DOOR_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/gateway.h"
#include "api/http2_client.h"
#include "api/testing/ports.h"

namespace metastore::api::testing {

inline constexpr std::size_t unlimited = 1u << 30;

struct Member {
  explicit Member(SessionOptions session_options = {}) : gateway(session_options, loop, inbox, facts) {}

  Line& connect() {
    lines.push_back(std::make_unique<Line>());
    gateway.on_accepted(std::make_unique<LineConnection>(*lines.back()));
    return *lines.back();
  }
  /// What came back over `line` once everything has run and every socket took its bytes.
  std::string exchange(Line& line, std::string_view bytes = {}) {
    if (!bytes.empty()) line.user->on_bytes(bytes);
    settle();
    return line.take();
  }
  void settle() {
    loop.settle();
    for (bool drained = true; drained;) {
      drained = false;
      for (const auto& line : lines) {
        if (line->destroyed || !line->writing) continue;
        line->drain();
        loop.settle();
        drained = true;
      }
    }
  }
  void answer(RequestId id, std::variant<Bytes, ErrorCode> result) {
    std::vector<Reply> replies;
    replies.push_back({id, std::move(result)});
    gateway.reply(std::move(replies));
  }
  void close(Line& line) {
    line.user->on_closed();
    loop.settle();
  }

  HandLoop loop;
  HandInbox inbox;
  HandFacts facts;
  std::vector<std::unique_ptr<Line>> lines;
  Gateway gateway;
};

/// A client on a line of its own.
struct Caller {
  explicit Caller(Member& of) : member(of), line(of.connect()), client(Http2ClientOptions{}) {}

  void exchange() {
    for (;;) {
      std::string bytes;
      client.write_to(bytes, unlimited, results);
      const std::string answer = member.exchange(line, bytes);
      client.receive(answer, results);
      if (bytes.empty() && answer.empty()) return;
    }
  }

  Member& member;
  Line& line;
  Http2Client client;
  std::vector<CallResult> results;
};

}  // namespace metastore::api::testing

#endif  // METASTORE_API_TESTING_DOOR_H_

#include "api/call_counts.h"

#include <algorithm>

#include "api/rpc.h"

namespace metastore::api {
namespace {

/// Any client may say anything: past these, what is new is counted as one.
constexpr std::size_t versions_max = 32;

}  // namespace

void CallCounts::started(kv::Method method, const ClientVersion& version) {
  ++at(method).started;
  const auto is = [](const ClientVersion& wanted) {
    return [&wanted](const VersionCounts& counts) { return counts.version == wanted; };
  };
  auto found = std::find_if(versions_.begin(), versions_.end(), is(version));
  if (found == versions_.end()) {
    const ClientVersion counted = versions_.size() < versions_max ? version : ClientVersion("other");
    found = std::find_if(versions_.begin(), versions_.end(), is(counted));
    if (found == versions_.end()) found = versions_.insert(versions_.end(), VersionCounts{.version = counted});
  }
  ++(grpc_type(method) == "unary" ? found->unary : found->streams);
}

void CallCounts::received(kv::Method method, std::uint64_t message_bytes) {
  ++at(method).messages_received;
  received_bytes_ += message_bytes;
}

void CallCounts::sent(kv::Method method, std::uint64_t message_bytes) {
  ++at(method).messages_sent;
  sent_bytes_ += message_bytes;
}

void CallCounts::handled(kv::Method method, StatusCode status, Duration took) {
  ++at(method).handled[static_cast<std::size_t>(status)];
  at(method).handling_nanoseconds.record(static_cast<std::uint64_t>(took.nanoseconds()));
}

}  // namespace metastore::api

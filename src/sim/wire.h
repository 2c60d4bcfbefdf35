// The simulator's requests as the protobuf messages that clients send, and the replies as values. The only file of the
// simulator that knows protobuf.
#ifndef METASTORE_SIM_WIRE_H_
#define METASTORE_SIM_WIRE_H_

#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/kv/method.h"
#include "sim/operation.h"
#include "sim/watch_session.h"

namespace metastore::sim {

kv::Method method_of(const Request& request);
std::string encode_request(const Request& request);
/// What `message` answers to `request`, or nothing if it is no such response.
std::optional<Response> decode_response(const Request& request, BytesView message);

/// What an operator asks.
std::string encode_member_add(const std::string& peer_url, bool is_learner);
std::string encode_member_remove(MemberId id);
std::string encode_member_promote(MemberId id);
std::string encode_move_leader(MemberId target);
std::string encode_member_update(MemberId id, const std::string& peer_url);

/// What is said on a watch stream.
std::string encode_watch(const WatchSession& session);
std::string encode_watch_cancel(std::int64_t watch_id);
std::string encode_progress_request();
std::optional<WatchMessage> decode_watch_message(BytesView message);

/// A LeaseKeepAliveResponse.
struct KeepAliveMessage {
  std::int64_t revision = 0;
  std::int64_t lease = 0;
  std::int64_t ttl_seconds = 0;
};
std::string encode_keep_alive(std::int64_t lease);
std::optional<KeepAliveMessage> decode_keep_alive(BytesView message);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_WIRE_H_

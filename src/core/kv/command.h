// What stands in a normal log entry: etcd's InternalRaftRequest, written around the received request bytes, which are
// not encoded again (contract 1.2). A change here is a change of the disk format.
#ifndef METASTORE_CORE_KV_COMMAND_H_
#define METASTORE_CORE_KV_COMMAND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/kv/method.h"
#include "core/kv/request.h"
#include "core/lease/lessor.h"

namespace metastore::kv {

/// A member tells its name, its client URLs, which data directory it has and which version of the API it speaks.
struct MemberAttributes {
  MemberId member;
  std::string name;
  std::vector<std::string> client_urls;
  std::uint64_t data_id = 0;  ///< In a field that etcd has not,
  std::string version = {};   ///< as this.
  bool operator==(const MemberAttributes&) const = default;
};

/// The version of the API that the whole cluster speaks.
struct ClusterVersion {
  std::string version;
  bool operator==(const ClusterVersion&) const = default;
};

/// Where in the log every member hashes its state, to be compared.
struct StateHashPoint {
  bool operator==(const StateHashPoint&) const = default;
};

/// What remains of leases, for whoever counts down next.
struct LeaseCheckpoint {
  std::vector<lease::Remaining> leases;
  bool operator==(const LeaseCheckpoint&) const = default;
};

struct Command {
  std::uint64_t id = 0;
  std::variant<PutRequest, DeleteRangeRequest, TxnRequest, CompactionRequest, LeaseGrantRequest, LeaseRevokeRequest,
               AlarmRequest, ClusterVersion, MemberAttributes, StateHashPoint, LeaseCheckpoint>
      body;
};

/// The size of the command around a request of `message_size` bytes, whatever its id.
std::size_t command_size(Method method, std::size_t message_size);

/// Requires: bit 63 of `id` is set, so that every id is a varint of ten bytes and sizes do not depend on it;
/// the method is proposed (put, delete_range, txn, compact, lease_grant, lease_revoke, alarm).   Ensures: the result
/// has command_size() bytes.
Bytes encode_command(std::uint64_t id, Method method, BytesView message);
Bytes encode_member_attributes(std::uint64_t id, const MemberAttributes& attributes);
/// That of a lease which has expired, by nobody's request.
Bytes encode_lease_revoke(std::uint64_t id, LeaseId lease);
/// That of a compaction which nobody asked for.
Bytes encode_compaction(std::uint64_t id, Revision revision);
/// That of an alarm which a member raises by itself.
Bytes encode_alarm(std::uint64_t id, const Alarm& alarm);
/// A LeaseGrantRequest with what its proposer decides, so that no member's own flags have a part in what is applied: an
/// id where the choice was left to us, and a longer time to live. 0: as it was asked for.
Bytes with_lease(BytesView message, LeaseId lease, std::int64_t ttl_seconds);
Bytes encode_cluster_version(std::uint64_t id, std::string_view version);
/// What etcd's reader must not see begins with a zero byte: it skips such entries (design D3).
Bytes encode_state_hash_point(std::uint64_t id);
Bytes encode_lease_checkpoint(std::uint64_t id, const std::vector<lease::Remaining>& leases);

/// The command in `data`, viewing its bytes; none if it is damaged or of a kind that we do not write.
std::optional<Command> decode_command(BytesView data);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_COMMAND_H_

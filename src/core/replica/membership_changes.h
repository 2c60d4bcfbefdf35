// Changes of the cluster's members: what stands in a configuration entry, which is etcd's ConfChange with the member in
// JSON beside it (contract, section 8), and etcd's reasons to refuse one (contract 1.8, 5.8). Raft makes the
// configuration of an entry, the member table what people see: one entry, so that the two cannot differ. A leader
// judges a change by the table that all entries before it have made, so what is in the log is valid.
#ifndef METASTORE_CORE_REPLICA_MEMBERSHIP_CHANGES_H_
#define METASTORE_CORE_REPLICA_MEMBERSHIP_CHANGES_H_

#include <cstdint>
#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/base/time.h"
#include "core/kv/request.h"
#include "core/replica/members.h"

namespace metastore {

/// `proposal_id`: 0 if nobody proposes it.
Bytes encode(const MembershipChange& change, std::uint64_t proposal_id);
/// What encode() wrote, or etcd, whatever stands behind it (kv/origin.h); none if it is damaged.
std::optional<MembershipChange> decode_membership_change(BytesView entry);

/// What a client asks for. `asked_at`: what the id of a member that is added depends on.
/// Requires: the request's consistency is `configured`.
MembershipChange membership_change(const kv::Request& request, WallTime asked_at);

/// Why the table forbids it.
std::optional<ErrorCode> objection(const Members& members, const MembershipChange& change, std::uint64_t max_learners);

/// Whether fewer voters than a quorum would have started once it is made.
bool leaves_too_few_started(const Members& members, const MembershipChange& change);

/// With whom this member is connected, and since when.
struct Connections {
  MemberId self;
  std::map<MemberId, Instant> since;
};
/// Whether fewer voters than a quorum would be there once it is made: of those who are, who is connected since
/// `settled_by` counts, and this member.
bool leaves_too_few_connected(const Members& members, const MembershipChange& change, const Connections& connections,
                              Instant settled_by);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_MEMBERSHIP_CHANGES_H_

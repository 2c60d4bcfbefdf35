// The member table: ids, names and URLs as the log has them (contract 5.8, section 8). It changes only at apply, by
// configuration entries and by each member's own publication; who votes is Raft's business, not this table's.
#ifndef METASTORE_CORE_REPLICA_MEMBERS_H_
#define METASTORE_CORE_REPLICA_MEMBERS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/tagged.h"
#include "core/kv/command.h"
#include "core/raft/types.h"

namespace metastore {

struct Member {
  MemberId id;
  std::string name;  ///< Empty until the member has published itself.
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;
  bool is_learner = false;
  std::uint64_t data_id = 0;  ///< Of its data directory, as published.
  std::string version;        ///< As published.
  bool operator==(const Member&) const = default;
};

struct MembershipChange {
  enum class Kind : std::uint8_t { add, add_learner, promote, remove, update };
  Kind kind = Kind::add;
  Member member;  ///< Of one that is not added only the id counts, and of one that is updated its peer URLs.
  bool operator==(const MembershipChange&) const = default;
};

class Members {
 public:
  /// Applies a committed configuration entry and returns what it changed. One that cannot be read is our bug, or damage
  /// that the log's checksums did not see: it asserts.
  MembershipChange apply_conf_change(const raft::Entry& entry);
  /// What a member tells of itself; one that is not (any more) a member changes nothing.
  void publish(kv::MemberAttributes attributes);

  const std::map<MemberId, Member>& all() const { return members_; }
  const Member* find(MemberId id) const;
  const std::set<MemberId>& removed() const { return removed_; }
  /// Put back what a checkpoint kept.
  void restore(Member member) {
    hash_.reset();
    members_.insert_or_assign(member.id, std::move(member));
  }
  void restore_removed(MemberId id) {
    hash_.reset();
    removed_.insert(id);
  }
  /// Of all that it holds, however it came to it. Cheap while nothing changes.
  std::uint64_t hash() const;
  /// Rises with each change.
  std::uint64_t version() const { return version_; }

 private:
  std::uint64_t computed_hash() const;

  std::map<MemberId, Member> members_;
  std::set<MemberId> removed_;  ///< They can never come back.
  std::uint64_t version_ = 0;
  mutable std::optional<std::uint64_t> hash_;  ///< None: not known since the last change.
};

/// The entries with which the log of a new cluster begins: one configuration change a member, at term 1, sorted by
/// member id, from index 1 on. They count as committed.
std::vector<raft::Entry> bootstrap_entries(std::vector<Member> members);

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_MEMBERS_H_

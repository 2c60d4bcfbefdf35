#include "core/replica/forced_cluster.h"

#include "core/raft/membership.h"
#include "core/raft/quorum.h"
#include "core/replica/membership_changes.h"

namespace metastore {

std::optional<raft::LogWrite> force_new_cluster(Recovered& recovered, MemberId self) {
  raft::Recovered& log = recovered.log;
  raft::ConfState conf = log.compacted.conf_state;
  for (const raft::Entry& entry : log.entries) {
    if (entry.type != raft::EntryType::normal) conf = raft::changed(conf, entry);
  }
  const LogIndex last = log.compacted.index.plus(log.entries.size());
  raft::LogWrite write;
  const auto append = [&](raft::EntryType type, Bytes data) {
    const LogIndex index = last.plus(write.append.size() + 1);
    write.append.push_back({log.hard_state.term, index, type, std::move(data)});
    conf = raft::changed(conf, write.append.back());
  };
  const auto change = [&](MembershipChange::Kind kind, MemberId member) {
    append(raft::EntryType::conf_change, encode({kind, {.id = member}}, 0));
  };
  if (!conf.voters_outgoing.empty()) append(raft::EntryType::conf_change_v2, Bytes());
  if (!raft::contains(conf.voters, self)) change(MembershipChange::Kind::promote, self);
  for (const MemberId other : raft::all_members(conf)) {
    if (other != self) change(MembershipChange::Kind::remove, other);
  }
  if (write.append.empty()) return std::nullopt;

  log.entries.insert(log.entries.end(), write.append.begin(), write.append.end());
  log.hard_state.commit = write.append.back().index;
  write.hard_state = log.hard_state;
  return write;
}

}  // namespace metastore

#include "core/raft/raft.h"

#include <doctest/doctest.h>

#include <string>

#include "core/proto/raft.pb.h"

namespace metastore::raft {
namespace {

Entry voter_added(std::uint64_t index, std::uint64_t id) {
  raftpb::ConfChange change;
  change.set_type(raftpb::ConfChangeAddNode);
  change.set_node_id(id);
  return {Term(1), LogIndex(index), EntryType::conf_change, Bytes::copy_of(change.SerializeAsString())};
}

/// As a new cluster of one begins: its own ConfChange, committed at term 1.
Recovered new_member() { return {.hard_state = {Term(1), MemberId(), LogIndex(1)}, .entries = {voter_added(1, 1)}}; }

TEST_CASE("a member alone leads at once, and commits when its own disk is done, not before") {
  Instant now;
  Raft raft({.id = MemberId(1), .seed = 7}, new_member(), now);
  Output out;
  CHECK(raft.wake_at() == now);
  raft.on_woken(now, out);
  raft.flush(now, out);
  CHECK(raft.role() == Role::candidate);
  REQUIRE(out.log_writes.size() == 1);
  CHECK(out.log_writes[0].hard_state == HardState{Term(2), MemberId(1), LogIndex(1)});

  raft.on_log_written(now, LogWriteId(1), out);
  raft.flush(now, out);
  CHECK(raft.role() == Role::leader);
  CHECK(raft.leader() == MemberId(1));
  REQUIRE(out.log_writes.size() == 2);
  CHECK(out.log_writes[1].append.size() == 1);

  CHECK(raft.read_index(now, 41, out).ok());
  CHECK(raft.propose(now, EntryType::normal, Bytes::copy_of("put"), out).value() == LogIndex(3));
  CHECK(raft.propose(now, EntryType::normal, Bytes::copy_of("put"), out).value() == LogIndex(4));
  raft.flush(now, out);
  CHECK(out.log_writes.size() == 3);
  CHECK(raft.commit_index() == LogIndex(1));
  CHECK(out.reads_ready.empty());

  raft.on_log_written(now, LogWriteId(2), out);
  raft.flush(now, out);
  CHECK(raft.commit_index() == LogIndex(2));
  CHECK(out.reads_ready == std::vector<ReadReady>{{41, LogIndex(2)}});
  raft.on_log_written(now, LogWriteId(3), out);
  CHECK(raft.commit_index() == LogIndex(4));
  raft.on_applied(LogIndex(4), LogIndex(4));
  raft.check_invariants();
  CHECK(out.messages.empty());
  CHECK(raft.wake_at() == Instant::never());
}

}  // namespace
}  // namespace metastore::raft

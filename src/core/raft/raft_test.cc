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

TEST_CASE("an image is of no use where the log holds what its mark stands for") {
  Instant now;
  Recovered recovered = new_member();
  recovered.hard_state.term = Term(2);
  for (std::uint64_t index = 2; index <= 5; ++index) {
    recovered.entries.push_back({Term(1), LogIndex(index), EntryType::normal, Bytes()});
  }
  Raft raft({.id = MemberId(2), .seed = 7}, recovered, now);
  Output out;
  const ConfState conf{{MemberId(1)}, {}, {}, {}, false};
  CHECK_FALSE(raft.install_snapshot(now, {LogIndex(1), Term(1), conf}, out).has_value());
  CHECK(raft.commit_index() == LogIndex(1));
  CHECK_FALSE(raft.install_snapshot(now, {LogIndex(4), Term(1), conf}, out).has_value());
  CHECK(raft.commit_index() == LogIndex(4));
  CHECK(raft.last_index() == LogIndex(5));
  CHECK(out.log_writes.empty());

  // An entry of another term there, or none, makes it replace the log, in a write of its own.
  const Mark mark{LogIndex(5), Term(2), {{MemberId(3)}, {}, {}, {}, false}};
  CHECK(raft.install_snapshot(now, mark, out) == LogWriteId(1));
  REQUIRE(out.log_writes.size() == 1);
  CHECK(out.log_writes[0].mark == mark);
  CHECK(out.log_writes[0].append.empty());
  CHECK(out.log_writes[0].hard_state == HardState{Term(2), MemberId(), LogIndex(5)});
  CHECK(raft.mark_at(LogIndex(5)) == mark);
  raft.check_invariants();
}

TEST_CASE("a leader tells what it knows of the others, and nobody else does") {
  Instant now;
  Recovered recovered = new_member();
  recovered.entries.push_back(voter_added(2, 2));
  Raft raft({.id = MemberId(1), .seed = 7, .limits = {.promotion_lag_entries_max = 1}}, recovered, now);
  Output out;
  now = raft.wake_at();
  raft.on_woken(now, out);
  raft.flush(now, out);
  CHECK(raft.peers().empty());
  raft.on_message(now, {MemberId(2), MemberId(1), VoteReply{Term(1), Term(2), true, true}}, out);
  raft.flush(now, out);
  raft.on_log_written(now, LogWriteId(1), out);
  raft.on_message(now, {MemberId(2), MemberId(1), VoteReply{Term(2), Term(2), false, true}}, out);
  REQUIRE(raft.role() == Role::leader);
  raft.flush(now, out);
  CHECK(raft.peers() == std::vector<PeerStatus>{{MemberId(2), LogIndex(0), LogIndex(4), now, false, false}});

  const Instant later = now + Duration::milliseconds(5);
  AppendReply reply{.term = Term(2), .accepted = true, .match_index = LogIndex(1)};
  raft.on_message(later, {MemberId(2), MemberId(1), reply}, out);
  CHECK(raft.peers() == std::vector<PeerStatus>{{MemberId(2), LogIndex(1), LogIndex(4), later, false, false}});
  reply.match_index = LogIndex(2);
  raft.on_message(later, {MemberId(2), MemberId(1), reply}, out);
  CHECK(raft.peers() == std::vector<PeerStatus>{{MemberId(2), LogIndex(2), LogIndex(4), later, false, true}});
}

}  // namespace
}  // namespace metastore::raft

#include "core/raft/progress.h"

#include <doctest/doctest.h>

namespace metastore::raft {
namespace {

TEST_CASE("a peer is sent to ahead of its answers, up to the window, and at least one message") {
  Progress progress(LogIndex(5));
  CHECK(progress.can_send_entries(0));
  progress.on_sent(LogIndex(6), 100);
  CHECK_FALSE(progress.can_send_entries(100));
  CHECK(progress.can_send_entries(101));
  progress.on_sent(LogIndex(7), 100);
  progress.on_accepted(LogIndex(6));
  CHECK(progress.can_send_entries(101));
  CHECK(progress.next_index() == LogIndex(8));
  progress.check_invariants();
}

TEST_CASE("a rejection is believed once, and only if it speaks of what was asked") {
  Progress progress(LogIndex(10));
  progress.on_accepted(LogIndex(3));
  CHECK_FALSE(progress.on_rejected(LogIndex(3), LogIndex(2)));
  CHECK_FALSE(progress.on_rejected(LogIndex(10), LogIndex(5)));
  CHECK(progress.on_rejected(LogIndex(9), LogIndex(6)));
  CHECK(progress.mode() == Progress::Mode::probe);
  CHECK(progress.next_index() == LogIndex(7));
  CHECK_FALSE(progress.can_send_entries(1'000'000));

  // A copy of it, and a late one from before, say nothing about the probe at 6.
  CHECK_FALSE(progress.on_rejected(LogIndex(9), LogIndex(6)));
  CHECK_FALSE(progress.on_rejected(LogIndex(5), LogIndex(4)));
  CHECK(progress.next_index() == LogIndex(7));
  // A wrong hint still leads backwards, though never behind what is known to match.
  CHECK(progress.on_rejected(LogIndex(6), LogIndex(6)));
  CHECK(progress.next_index() == LogIndex(6));
  CHECK(progress.on_rejected(LogIndex(5), LogIndex(0)));
  CHECK(progress.next_index() == LogIndex(4));

  progress.on_accepted(LogIndex(3));
  CHECK(progress.mode() == Progress::Mode::replicate);
  CHECK(progress.next_index() == LogIndex(4));
  progress.check_invariants();
}

TEST_CASE("a peer that gets a snapshot is sent no entries until it accepts what memory still has") {
  Progress progress(LogIndex(10));
  progress.on_sent(LogIndex(12), 100);
  progress.on_compacted(LogIndex(9));
  CHECK(progress.mode() == Progress::Mode::replicate);
  progress.on_compacted(LogIndex(20));
  CHECK(progress.mode() == Progress::Mode::probe);
  CHECK(progress.next_index() == LogIndex(21));
  progress.await_snapshot();
  CHECK_FALSE(progress.can_send_entries(1'000'000));
  CHECK_FALSE(progress.on_rejected(LogIndex(20), LogIndex(5)));
  progress.on_compacted(LogIndex(30));
  // A late answer proves what it says, and that is not enough.
  progress.on_accepted(LogIndex(12));
  CHECK(progress.mode() == Progress::Mode::snapshot);
  CHECK(progress.match_index() == LogIndex(12));
  progress.check_invariants();
  progress.on_accepted(LogIndex(30));
  CHECK(progress.mode() == Progress::Mode::replicate);
  CHECK(progress.next_index() == LogIndex(31));
  progress.check_invariants();
}

TEST_CASE("acknowledgements that come late lower nothing") {
  Progress progress(LogIndex(1));
  progress.on_sent(LogIndex(4), 10);
  progress.on_accepted(LogIndex(4));
  progress.on_accepted(LogIndex(2));
  CHECK(progress.match_index() == LogIndex(4));
  CHECK(progress.next_index() == LogIndex(5));
  progress.check_invariants();
}

}  // namespace
}  // namespace metastore::raft

#include "core/replica/image_reader.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "core/replica/image.h"

namespace metastore {
namespace {

const raft::Mark mark{LogIndex(9), Term(2), {{MemberId(1)}, {}, {}, {}, false}};

/// A state that changes, as log entries change it.
class State {
 public:
  explicit State(std::uint64_t seed) : prng_(seed, "state") {}

  void change() {
    mvcc::Store& store = applier.store();
    if (prng_.chance(1, 12)) {
      const std::int64_t lowest = std::max<std::int64_t>(1, store.compact_revision().value() + 1);
      if (lowest <= store.current_revision().value()) {
        CHECK(store.compact(Revision(prng_.between(lowest, store.current_revision().value()))).ok());
      }
      return;
    }
    if (prng_.chance(1, 20)) {
      const auto granted = applier.lessor().grant(LeaseId(++last_lease_), prng_.between(5, 50), Instant());
      CHECK(granted.ok());
      return;
    }
    mvcc::Transaction transaction(store);
    for (std::uint64_t changes = 1 + prng_.below(prng_.chance(1, 9) ? 20 : 2); changes > 0; --changes) {
      const std::string key = "k" + std::to_string(prng_.below(30));
      if (prng_.chance(1, 4)) {
        transaction.delete_range({key, ""}, [&](mvcc::Record former) { detach(former); });
        continue;
      }
      const LeaseId lease(prng_.chance(1, 3) ? static_cast<std::int64_t>(prng_.below(last_lease_ + 1)) : 0);
      const auto put = transaction.put(key, std::string(prng_.below(60), 'v'), lease);
      if (put.previous) detach(put.previous);
      if (lease != LeaseId()) applier.lessor().attach(lease, key);
    }
    transaction.commit();
  }

  kv::Applier applier;

 private:
  void detach(mvcc::Record former) {
    if (former.lease() != LeaseId()) applier.lessor().detach(former.lease(), former.key());
  }

  Prng prng_;
  std::int64_t last_lease_ = 0;
};

/// All that clients can ask of it.
std::string contents(const mvcc::Store& store) {
  std::string text = std::to_string(store.compact_revision().value()) + " " +
                     std::to_string(store.current_revision().value()) + " " + std::to_string(store.encoded_bytes());
  const std::int64_t first = std::max<std::int64_t>(1, store.compact_revision().value());
  for (std::int64_t revision = first; revision <= store.current_revision().value(); ++revision) {
    text += "\n" + std::to_string(revision) + ":";
    store.range(mvcc::KeyRange::all(), Revision(revision), [&](mvcc::Record record) {
      text += " ";
      text += record.encoded();
      return true;
    });
  }
  text += "\nhistory:";
  store.history(Revision(first), [&](mvcc::Record record) {
    text += record.tombstone() ? " -" : " +";
    text += record.encoded();
    return true;
  });
  return text;
}

void take(Image& image, BytesView rows) {
  REQUIRE(are_rows(rows));
  RowReader reader(rows);
  while (const auto row = reader.next()) {
    const auto taken = image.take(row->table, row->key, *row->value);
    REQUIRE_MESSAGE(taken.ok(), (taken ? "" : taken.error()));
  }
}

TEST_CASE("what is read in slices is the state as it was, whatever has become of it meanwhile") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    Prng prng(seed, "image reader");
    State state(seed);
    for (std::uint64_t changes = prng.below(200); changes > 0; --changes) {
      state.change();
      if (prng.chance(1, 5)) state.applier.compact_some(prng.below(20));
    }
    if (prng.chance(1, 3)) state.applier.alarms().raise({kv::AlarmType::nospace, MemberId(3)});
    Members members;
    members.restore({.id = MemberId(1), .name = "m1", .peer_urls = {"http://p"}, .data_id = 7});
    members.restore_removed(MemberId(2));
    const std::string expected = contents(state.applier.store());
    const std::vector<LeaseId> leases = state.applier.lessor().list();
    const std::uint64_t hash = state.applier.hash();

    ImageReader reader(mark, state.applier, members, "3.6.0");
    Image image(Image::Source::snapshot);
    std::map<std::pair<Table, std::string>, std::string> sorted;
    const std::size_t part_bytes = 1 + prng.below(300);
    while (!reader.is_finished()) {
      std::uint64_t keys = prng.below(10);
      const std::optional<Bytes> rows = reader.read(state.applier.store(), part_bytes, keys);
      if (rows.has_value()) {
        take(image, rows->view());
        RowReader again(rows->view());
        while (const auto row = again.next()) sorted[{row->table, std::string(row->key)}] = *row->value;
      }
      if (prng.chance(1, 2)) state.change();
      if (!reader.is_reading_behind(state.applier.store().compact_revision())) state.applier.compact_some(5);
    }
    bool is_finished = false;
    while (!is_finished) {
      const auto finished = image.finish_some(1 + prng.below(10));
      REQUIRE_MESSAGE(finished.ok(), (finished ? "" : finished.error()));
      is_finished = finished.value();
    }
    CHECK(image.applied == mark);
    CHECK(image.cluster_version == "3.6.0");
    CHECK(image.members.all() == members.all());
    CHECK(image.members.removed() == members.removed());
    CHECK(image.applier->hash() == hash);
    CHECK(image.applier->hash() == reader.state_hash());
    CHECK(contents(image.applier->store()) == expected);
    CHECK(image.applier->lessor().list() == leases);
    image.applier->store().check_invariants();
    image.applier->lessor().check_invariants();

    // The engine gives the same rows in the order of their keys at the next start.
    Image restarted;
    for (const auto& [key, value] : sorted) REQUIRE(restarted.take(key.first, key.second, value).ok());
    REQUIRE(restarted.finish().ok());
    CHECK(contents(restarted.applier->store()) == expected);
    CHECK(restarted.applier->hash() == hash);
    for (const LeaseId lease : leases) {
      CHECK(restarted.applier->lessor().keys(lease).value() == image.applier->lessor().keys(lease).value());
    }
  }
}

TEST_CASE("a state that came by rows goes on as the one that it was read from") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    State state(seed);
    for (int changes = 0; changes < 150; ++changes) state.change();
    ImageReader reader(mark, state.applier, Members(), "");
    Image image(Image::Source::snapshot);
    std::uint64_t keys = 1'000;
    while (!reader.is_finished()) take(image, reader.read(state.applier.store(), 1'000, keys)->view());
    REQUIRE(image.finish().ok());
    mvcc::Store& original = state.applier.store();
    mvcc::Store& copy = image.applier->store();
    Prng prng(seed, "further changes");
    for (int changes = 0; changes < 100; ++changes) {
      const std::string key = "k" + std::to_string(prng.below(30));
      const bool is_deletion = prng.chance(1, 3);
      const bool is_compaction = prng.chance(1, 10);
      for (mvcc::Store* const store : {&original, &copy}) {
        if (is_compaction) {
          static_cast<void>(store->compact(store->current_revision()));
          store->compact_some(50);
          continue;
        }
        mvcc::Transaction transaction(*store);
        if (is_deletion) {
          transaction.delete_range({key, ""});
        } else {
          transaction.put(key, "further", LeaseId());
        }
        transaction.commit();
      }
      REQUIRE(contents(copy) == contents(original));
      REQUIRE(copy.hash() == original.hash());
      copy.check_invariants();
    }
  }
}

}  // namespace
}  // namespace metastore

#include "core/mvcc/hash_scan.h"

#include <algorithm>
#include <array>
#include <limits>

#include "core/base/assert.h"
#include "core/base/crc32c.h"
#include "core/mvcc/key_range.h"

namespace metastore::mvcc {
namespace {

/// Beside its bytes, to look at a key or to hash a record takes about as long as so many bytes do.
constexpr std::uint64_t look_bytes = 256;

/// The key under which etcd keeps a change: main and sub, big-endian.
class Place {
 public:
  Place(RevisionPair revision, bool is_tombstone) : size_(is_tombstone ? 18 : 17) {
    write(0, revision.main.value());
    bytes_[8] = '_';
    write(9, revision.sub);
    bytes_[17] = 't';
  }
  BytesView view() const { return {bytes_.data(), size_}; }

 private:
  void write(std::size_t at, std::int64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes_[at++] = static_cast<char>(static_cast<std::uint64_t>(number) >> shift);
    }
  }

  std::array<char, 18> bytes_;
  std::size_t size_;
};

/// etcd's message of a tombstone names the key alone.
BytesView message_of(Record record) {
  const BytesView message = record.encoded();
  if (!record.tombstone()) return message;
  const BytesView key = record.key();
  return message.substr(0, static_cast<std::size_t>(key.data() + key.size() - message.data()));
}

}  // namespace

HashScan::HashScan(const Store& store, Revision revision)
    : result_{revision, store.compact_revision(), crc32c_extend(0, "key")},
      phase_(result_.compacted == never_compacted ? Phase::following : Phase::selecting),
      selected_at_(revision),
      next_key_(KeyRange::all().key),
      next_{result_.compacted.next()} {
  if (revision < Revision(0)) {
    phase_ = Phase::finished;
  } else {
    ASSERT(store.check_readable(revision).ok());
  }
}

bool HashScan::go_on(const Store& store, std::uint64_t bytes) {
  ASSERT(store.compact_revision() == result_.compacted);
  while (bytes > 0 && phase_ != Phase::finished) {
    if (phase_ == Phase::selecting) {
      select(store, bytes);
    } else if (phase_ == Phase::merging) {
      merge(bytes);
    } else {
      follow(store, bytes);
    }
  }
  return phase_ == Phase::finished;
}

void HashScan::select(const Store& store, std::uint64_t& bytes) {
  const std::uint64_t given = bytes / look_bytes + 1;
  std::uint64_t keys = given;
  Run run;
  const auto rest = store.range_some({next_key_, KeyRange::all().end}, selected_at_, keys, [&](Record record) {
    found_any_ = true;
    if (record.mod_revision() <= result_.compacted) run.selected.push_back({record.revision(), record});
    return true;
  });
  bytes -= std::min(bytes, (given - keys) * look_bytes);
  // Each change has its own place, so that this is a total order.
  const auto precedes = [](const Selected& a, const Selected& b) { return a.revision < b.revision; };
  std::sort(run.selected.begin(), run.selected.end(), precedes);
  if (!run.selected.empty()) runs_.push_back(std::move(run));
  if (rest.has_value()) {
    next_key_ = *rest;
    return;
  }
  if (!found_any_ && selected_at_ != result_.compacted) {
    // Where no key exists at the revision, etcd leaves nothing out of what the compaction has left.
    selected_at_ = result_.compacted;
    next_key_ = KeyRange::all().key;
    return;
  }
  phase_ = Phase::merging;
}

void HashScan::merge(std::uint64_t& bytes) {
  const auto goes_later = [](const Run& a, const Run& b) { return b.front().revision < a.front().revision; };
  std::make_heap(runs_.begin(), runs_.end(), goes_later);
  while (!runs_.empty()) {
    if (bytes == 0) return;
    std::pop_heap(runs_.begin(), runs_.end(), goes_later);
    Run& run = runs_.back();
    add(run.front().revision, run.front().record, bytes);
    if (++run.next == run.selected.size()) {
      runs_.pop_back();
    } else {
      std::push_heap(runs_.begin(), runs_.end(), goes_later);
    }
  }
  runs_ = {};
  phase_ = Phase::following;
}

void HashScan::follow(const Store& store, std::uint64_t& bytes) {
  bool is_finished = true;
  const auto visit = [&](Record record) {
    const RevisionPair revision = record.revision();
    if (revision.main > result_.revision) return false;
    if (bytes == 0) {
      next_ = revision;
      is_finished = false;
      return false;
    }
    add(revision, record, bytes);
    return true;
  };
  store.history(next_.main, visit, next_.sub);
  if (is_finished) phase_ = Phase::finished;
}

void HashScan::add(RevisionPair revision, Record record, std::uint64_t& bytes) {
  const BytesView message = message_of(record);
  result_.hash = crc32c_extend(crc32c_extend(result_.hash, Place(revision, record.tombstone()).view()), message);
  bytes -= std::min<std::uint64_t>(bytes, look_bytes + message.size());
}

std::uint32_t hash_kv(const Store& store, Revision revision) {
  HashScan scan(store, revision);
  ASSERT(scan.go_on(store, std::numeric_limits<std::uint64_t>::max()));
  return scan.result().hash;
}

}  // namespace metastore::mvcc

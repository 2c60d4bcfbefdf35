#include "core/replica/image_reader.h"

#include <utility>

#include "core/base/assert.h"
#include "core/replica/checkpoints.h"

namespace metastore {
namespace {

Bytes small_tables(const kv::Applier& applier, const Members& members, std::string_view cluster_version) {
  RowWriter rows;
  put_revisions(rows, applier.store());
  put_cluster_version(rows, cluster_version);
  applier.lessor().all([&](LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds) {
    put_lease(rows, id, ttl_seconds, remaining_seconds);
  });
  put_members(rows, members);
  for (const kv::Alarm& alarm : applier.alarms().list(kv::AlarmType::none)) put_alarm(rows, alarm);
  return rows.take();
}

}  // namespace

ImageReader::ImageReader(raft::Mark applied, const kv::Applier& applier, const Members& members,
                         std::string_view cluster_version)
    : applied_(std::move(applied)),
      current_(applier.store().current_revision()),
      compacted_(applier.store().compact_revision()),
      state_hash_(applier.hash()),
      small_tables_(small_tables(applier, members, cluster_version)),
      small_rows_(small_tables_.view()),
      next_revision_{compacted_} {}

std::optional<Bytes> ImageReader::read(const mvcc::Store& store, std::size_t bytes, std::uint64_t& keys) {
  ASSERT(!is_finished());
  if (stage_ == Stage::small_tables) read_small_tables(bytes);
  if (stage_ == Stage::settled && !read_settled(store, bytes, keys)) return std::nullopt;
  if (stage_ == Stage::history) read_history(store, bytes);
  return rows_.take();
}

void ImageReader::read_small_tables(std::size_t bytes) {
  while (rows_.size() < bytes) {
    const std::optional<Row> row = small_rows_.next();
    if (!row.has_value()) {
      small_tables_ = Bytes();
      stage_ = Stage::settled;
      return;
    }
    rows_.put(row->table, row->key, *row->value);
  }
}

bool ImageReader::read_settled(const mvcc::Store& store, std::size_t bytes, std::uint64_t& keys) {
  mvcc::KeyRange rest = mvcc::KeyRange::all();
  rest.key = next_key_;
  std::optional<std::string> next;
  store.keys(rest, compacted_, [&](mvcc::Record newest, mvcc::Record record) {
    if (keys == 0 || rows_.size() >= bytes) {
      next = newest.key();
      return false;
    }
    --keys;
    // What the compaction's own revision wrote belongs to the history.
    if (record && record.mod_revision() < compacted_) put_record(rows_, record);
    return true;
  });
  if (!next.has_value()) {
    stage_ = Stage::history;
    return true;
  }
  next_key_ = std::move(*next);
  return rows_.size() >= bytes;
}

void ImageReader::read_history(const mvcc::Store& store, std::size_t bytes) {
  bool is_whole = true;
  store.unfreed_history(next_revision_, [&](mvcc::Record record) {
    if (record.mod_revision() > current_) return false;
    if (rows_.size() >= bytes) {
      next_revision_ = record.revision();
      is_whole = false;
      return false;
    }
    put_record(rows_, record);
    return true;
  });
  if (!is_whole) return;
  put_applied(rows_, applied_);
  stage_ = Stage::finished;
}

}  // namespace metastore

#include "core/replica/checkpoints.h"

#include "core/base/assert.h"

namespace metastore {
namespace {

NumberKey key_of(LeaseId id) { return NumberKey(static_cast<std::uint64_t>(id.value())); }

void put_member(RowWriter& rows, const Member& member) {
  std::string value;
  Encoder out(value);
  out.boolean(false);
  out.bytes(member.name);
  for (const std::vector<std::string>* urls : {&member.peer_urls, &member.client_urls}) {
    out.u64(urls->size());
    for (const std::string& url : *urls) out.bytes(url);
  }
  out.boolean(member.is_learner);
  out.u64(member.data_id);
  out.bytes(member.version);
  rows.put(Table::members, NumberKey(member.id.value()).view(), value);
}

}  // namespace

void put_applied(RowWriter& rows, const raft::Mark& applied) {
  std::string value;
  Encoder out(value);
  out.tagged(applied.index);
  out.tagged(applied.term);
  raft::encode(out, applied.conf_state);
  rows.put(Table::state, row_keys::applied, value);
}

void put_revisions(RowWriter& rows, const mvcc::Store& store) {
  std::string value;
  Encoder out(value);
  out.tagged(store.current_revision());
  out.tagged(store.compact_revision());
  rows.put(Table::state, row_keys::revisions, value);
}

void put_cluster_version(RowWriter& rows, std::string_view cluster_version) {
  std::string value;
  Encoder out(value);
  out.bytes(cluster_version);
  rows.put(Table::state, row_keys::cluster_version, value);
}

void put_record(RowWriter& rows, mvcc::Record record) {
  const BytesView is_tombstone = record.tombstone() ? BytesView("\1", 1) : BytesView("\0", 1);
  rows.put(Table::records, NumberKey(record.revision()).view(), is_tombstone, record.encoded());
}

void put_lease(RowWriter& rows, LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds) {
  std::string value;
  Encoder out(value);
  out.i64(ttl_seconds);
  out.i64(remaining_seconds);
  rows.put(Table::leases, key_of(id).view(), value);
}

void put_alarm(RowWriter& rows, const kv::Alarm& alarm) { rows.put(Table::alarms, NumberKey(alarm).view(), {}); }

void put_members(RowWriter& rows, const Members& members) {
  for (const auto& [id, member] : members.all()) put_member(rows, member);
  // They stay, so that an id that was removed never comes back.
  for (const MemberId id : members.removed()) rows.put(Table::members, NumberKey(id.value()).view(), "\1");
}

std::optional<std::uint64_t> decode_number(BytesView key) {
  if (key.size() != 8) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : key) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::optional<mvcc::RevisionPair> decode_revision(BytesView key) {
  if (key.size() != 16) return std::nullopt;
  const auto main = static_cast<std::int64_t>(*decode_number(key.substr(0, 8)));
  const auto sub = static_cast<std::int64_t>(*decode_number(key.substr(8)));
  return mvcc::RevisionPair{Revision(main), sub};
}

void Checkpoints::on_written(LogIndex applied_index) {
  ASSERT(is_under_way());
  ASSERT(applied_index == emitted_);
  written_ = applied_index;
}

void Checkpoints::on_replaced(LogIndex applied_index) {
  ASSERT(!is_under_way());
  written_ = emitted_ = applied_index;
  members_version_ = 0;
  cluster_version_.clear();
}

bool Checkpoints::is_due(Instant now, LogIndex applied, const mvcc::Store& store) const {
  if (is_under_way() || applied == emitted_) return false;
  return now >= due_at(applied) || store.unsaved_bytes() >= limits_.checkpoint_bytes;
}

Instant Checkpoints::due_at(LogIndex applied) const {
  return is_under_way() || applied == emitted_ ? Instant::never() : emitted_at_ + interval_;
}

bool Checkpoints::is_overdue(const mvcc::Store& store) const {
  return is_under_way() && store.unsaved_bytes() > limits_.checkpoint_waiting_bytes_max;
}

Checkpoint Checkpoints::take(Instant now, const raft::Mark& applied, kv::Applier& applier, const Members& members,
                             std::string_view cluster_version) {
  ASSERT(!is_under_way());
  ASSERT(applied.index > emitted_);
  emitted_ = applied.index;
  emitted_at_ = now;
  put_applied(rows_, applied);
  put_revisions(rows_, applier.store());
  if (cluster_version_ != cluster_version) {
    cluster_version_ = cluster_version;
    put_cluster_version(rows_, cluster_version);
  }
  applier.store().take_changes(
      [&](mvcc::Record record) { put_record(rows_, record); },
      [&](mvcc::RevisionPair revision) { rows_.erase(Table::records, NumberKey(revision).view()); });
  applier.lessor().take_changes(
      [&](LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds) {
        put_lease(rows_, id, ttl_seconds, remaining_seconds);
      },
      [&](LeaseId id) { rows_.erase(Table::leases, key_of(id).view()); });
  applier.alarms().take_changes([&](const kv::Alarm& alarm) { put_alarm(rows_, alarm); },
                                [&](const kv::Alarm& alarm) { rows_.erase(Table::alarms, NumberKey(alarm).view()); });
  if (members_version_ != members.version()) {
    members_version_ = members.version();
    put_members(rows_, members);
  }
  return {emitted_, rows_.take()};
}

}  // namespace metastore

#include "core/replica/checkpoints.h"

#include "core/base/assert.h"

namespace metastore {
namespace {

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
  rows.put(Table::members, encode_number(member.id.value()), value);
}

}  // namespace

std::string encode_number(std::uint64_t number) {
  std::string key(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (56 - 8 * i));
  return key;
}

std::optional<std::uint64_t> decode_number(BytesView key) {
  if (key.size() != 8) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : key) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

std::string encode_revision(mvcc::RevisionPair revision) {
  return encode_number(static_cast<std::uint64_t>(revision.main.value())) +
         encode_number(static_cast<std::uint64_t>(revision.sub));
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
  RowWriter rows;
  std::string value;
  const auto fact = [&](std::string_view key) {
    rows.put(Table::state, key, value);
    value.clear();
  };
  Encoder out(value);
  out.tagged(applied.index);
  out.tagged(applied.term);
  raft::encode(out, applied.conf_state);
  fact(row_keys::applied);
  out.tagged(applier.store().current_revision());
  out.tagged(applier.store().compact_revision());
  fact(row_keys::revisions);
  if (cluster_version_ != cluster_version) {
    cluster_version_ = cluster_version;
    out.bytes(cluster_version);
    fact(row_keys::cluster_version);
  }

  applier.store().take_changes(
      [&](mvcc::Record record) {
        value.assign(1, record.tombstone() ? '\1' : '\0');
        value += record.encoded();
        rows.put(Table::records, encode_revision(record.revision()), value);
      },
      [&](mvcc::RevisionPair revision) { rows.erase(Table::records, encode_revision(revision)); });
  applier.lessor().take_changes(
      [&](LeaseId id, std::int64_t ttl_seconds) {
        value.clear();
        out.i64(ttl_seconds);
        rows.put(Table::leases, encode_number(static_cast<std::uint64_t>(id.value())), value);
      },
      [&](LeaseId id) { rows.erase(Table::leases, encode_number(static_cast<std::uint64_t>(id.value()))); });
  if (members_version_ != members.version()) {
    members_version_ = members.version();
    for (const auto& [id, member] : members.all()) put_member(rows, member);
    // They stay, so that an id that was removed never comes back.
    for (const MemberId id : members.removed()) rows.put(Table::members, encode_number(id.value()), "\1");
  }
  return {emitted_, rows.take()};
}

}  // namespace metastore

// When a checkpoint is taken and what stands in it (design D4): everything that has changed since the last one, as
// rows, together with the entry up to which that was applied. One is under way at most. What a row means is fixed here,
// for Image to read, and written down in docs/disk_format.md.
#ifndef METASTORE_CORE_REPLICA_CHECKPOINTS_H_
#define METASTORE_CORE_REPLICA_CHECKPOINTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/limits.h"
#include "core/base/time.h"
#include "core/kv/applier.h"
#include "core/mvcc/revision.h"
#include "core/raft/types.h"
#include "core/replica/checkpoint.h"
#include "core/replica/members.h"

namespace metastore {

/// The keys of the facts in Table::state.
namespace row_keys {
inline constexpr std::string_view applied = "applied";
inline constexpr std::string_view revisions = "revisions";
inline constexpr std::string_view cluster_version = "cluster version";
}  // namespace row_keys

/// Keys are numbers, big-endian, so that they sort as numbers do.
class NumberKey {
 public:
  explicit NumberKey(std::uint64_t number) { add(number); }
  explicit NumberKey(mvcc::RevisionPair revision) {
    add(static_cast<std::uint64_t>(revision.main.value()));
    add(static_cast<std::uint64_t>(revision.sub));
  }
  explicit NumberKey(const kv::Alarm& alarm) {
    add(static_cast<std::uint64_t>(alarm.type));
    add(alarm.member.value());
  }
  BytesView view() const { return BytesView(bytes_.data(), size_); }

 private:
  void add(std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes_[size_++] = static_cast<char>(number >> shift);
  }

  std::array<char, 16> bytes_;
  std::size_t size_ = 0;
};
std::optional<std::uint64_t> decode_number(BytesView key);
std::optional<mvcc::RevisionPair> decode_revision(BytesView key);

/// What a row of each kind says.
void put_applied(RowWriter& rows, const raft::Mark& applied);
void put_revisions(RowWriter& rows, const mvcc::Store& store);
void put_cluster_version(RowWriter& rows, std::string_view cluster_version);
void put_record(RowWriter& rows, mvcc::Record record);
void put_lease(RowWriter& rows, LeaseId id, std::int64_t ttl_seconds, std::int64_t remaining_seconds);
void put_alarm(RowWriter& rows, const kv::Alarm& alarm);
void put_members(RowWriter& rows, const Members& members);

class Checkpoints {
 public:
  Checkpoints(Duration interval, const Limits& limits, LogIndex recovered)
      : interval_(interval), limits_(limits), written_(recovered), emitted_(recovered) {}

  /// What the engine durably holds.
  LogIndex written() const { return written_; }
  void on_written(LogIndex applied_index);
  bool is_under_way() const { return emitted_ > written_; }
  /// Another image has taken the engine's place. Requires: !is_under_way().
  void on_replaced(LogIndex applied_index);

  /// Whether one is due at `applied`.
  bool is_due(Instant now, LogIndex applied, const mvcc::Store& store) const;
  /// When one becomes due if nothing more is applied.
  Instant due_at(LogIndex applied) const;
  /// Whether so much waits behind the one under way that nothing more may be proposed.
  bool is_overdue(const mvcc::Store& store) const;

  /// Requires: is_due().
  Checkpoint take(Instant now, const raft::Mark& applied, kv::Applier& applier, const Members& members,
                  std::string_view cluster_version);

 private:
  const Duration interval_;
  const Limits limits_;
  LogIndex written_;
  LogIndex emitted_;
  Instant emitted_at_;
  RowWriter rows_;
  std::uint64_t members_version_ = 0;
  std::string cluster_version_;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_CHECKPOINTS_H_

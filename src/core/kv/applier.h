// Joins requests with the store: answers reads, executes log entries. It is the one writer of the store, and what it
// answers follows from the entries alone, on every member, whether or not that member owes the reply.
#ifndef METASTORE_CORE_KV_APPLIER_H_
#define METASTORE_CORE_KV_APPLIER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/kv/alarms.h"
#include "core/kv/command.h"
#include "core/kv/counts.h"
#include "core/kv/listing.h"
#include "core/kv/request.h"
#include "core/kv/response.h"
#include "core/lease/lessor.h"
#include "core/mvcc/store.h"

namespace metastore::kv {

/// What one log entry did, beside changing the store.
struct Applied {
  std::uint64_t proposal_id = 0;
  Result<Bytes> reply;  ///< The response's protobuf message; empty if nobody asked.
  std::optional<MemberAttributes> member_attributes;
  std::optional<std::string> cluster_version;
  bool is_state_hash_point = false;
  bool waits_for_compaction = false;  ///< The reply is owed only once the store is compacted physically too.
  std::uint64_t cost = 0;             ///< Of what was asked, against the quota.
  std::optional<Alarm> raised;        ///< By this entry, and not before.
  std::optional<Alarm> cleared;
};

class Applier {
 public:
  const mvcc::Store& store() const { return store_; }
  mvcc::Store& store() { return store_; }
  lease::Lessor& lessor() { return lessor_; }
  const lease::Lessor& lessor() const { return lessor_; }
  Alarms& alarms() { return alarms_; }
  const Alarms& alarms() const { return alarms_; }
  const Counts& counts() const { return counts_; }

  /// Answers from the state as it is. Whether that may be stale was decided by request.consistency().
  /// Requires: the request is a range, a read-only txn, or asks of leases.
  /// Errors: those of range() and read_txn(); leader_changed if time to live is asked of one who does not lead.
  Result<Bytes> read(const Request& request, const Header& header, Instant now);

  /// Begins to answer what read() would answer in one step.   Requires and Errors: as Listing::begin().
  Result<Listing> list(Request request, const Header& header);

  /// Executes the command of a committed entry.
  /// Requires: `command` was encoded by core/kv/command.h; a damaged one is our bug or a log's that checksums missed.
  /// `now` matters to the leases of a leader alone. What an alarm forbids is refused (contract 5.9).
  Applied apply(BytesView command, const Header& header, Instant now);

  /// What transactions have looked at since the start, so that whoever has it done can stop in time.
  std::uint64_t txn_keys_read() const { return txn_keys_read_; }

  /// Of the store, the leases and the alarms.
  std::uint64_t hash() const { return store_.hash() + lessor_.hash() + alarms_.hash(); }

  /// Counts on where the one that this one replaces has ended: figures for people do not begin anew.
  void continue_figures(const Applier& former) {
    counts_ = former.counts_;
    txn_keys_read_ = former.txn_keys_read_;
    lessor_.continue_figures(former.lessor_);
    store_.continue_figures(former.store_);
  }

  /// Frees what compactions gave up, looking at no more than `budget` records; true once nothing is left to free.
  bool compact_some(std::size_t budget) { return store_.compact_some(budget); }

 private:
  std::optional<ErrorCode> refusal_of(const Command& command, std::uint64_t cost) const;
  AlarmResponse apply_alarm(const AlarmRequest& request, Applied& applied);

  mvcc::Store store_;
  lease::Lessor lessor_;
  Alarms alarms_;
  Counts counts_;
  std::uint64_t txn_keys_read_ = 0;
};

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_APPLIER_H_

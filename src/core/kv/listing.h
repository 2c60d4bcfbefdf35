// A range that is answered in slices, so that no step of the replica takes longer for it than for others: a first pass
// finds out how large the answer is, because gRPC sends the length first, a second one writes it (design, law 9). It
// keeps no more than its place in the store, unless the answer has to be sorted. The same bytes as of encode(range())
// come of it; a stream's come as messages of their own.
#ifndef METASTORE_CORE_KV_LISTING_H_
#define METASTORE_CORE_KV_LISTING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/kv/request.h"
#include "core/kv/response.h"
#include "core/mvcc/store.h"

namespace metastore::kv {

/// 1. All slices show the store at revision(), whatever was written or compacted since.
/// 2. So what a compaction behind revision() gives up must not be freed before the listing has ended.
class Listing {
 public:
  /// Requires: `request` is that of a range or of a range_stream.   Errors: future_revision, compacted.
  static Result<Listing> begin(const mvcc::Store& store, Request request, const Header& header);

  Revision revision() const { return revision_; }
  bool is_stream() const { return request_.method() == Method::range_stream; }

  /// Goes on with the first pass; true once it is over. What is looked at is taken from `keys`.
  bool measure(const mvcc::Store& store, std::uint64_t& keys);
  /// Of the whole response, if it is one message.   Requires: measured.
  std::uint64_t message_bytes() const;

  struct Part {
    std::uint64_t message_bytes = 0;  ///< Of the message that begins here; 0: it goes on.
    Bytes bytes;                      ///< Empty if `keys` did not reach for a record.
  };
  /// The next part, of at most `bytes_max` bytes of records unless one alone is larger.
  /// Requires: measured, and not finished.
  Part read(const mvcc::Store& store, std::uint64_t& keys, std::uint64_t bytes_max);
  bool is_finished() const { return phase_ == Phase::finished; }

  /// It goes on in a later step: what can be looked for again is not kept until then.
  void pause();
  /// What it keeps between steps: the request, and the records of an answer that is sorted.
  std::uint64_t held_bytes() const;

 private:
  enum class Phase : std::uint8_t { selecting, sorting, counting, reading, finished };
  /// Records that were found and sorted together.
  struct Run {
    std::vector<mvcc::Record> records;
    std::size_t next = 0;
    mvcc::Record front() const { return records[next]; }
  };

  Listing(Request request, const RangeRequest& asked, const Header& header, Revision revision, Revision latest);

  mvcc::KeyRange rest() const { return {next_key_, asked_.range.end}; }
  void select(const mvcc::Store& store, std::uint64_t& keys);
  void end_selection(bool counts_on);
  void sort(std::uint64_t& keys);
  void count(const mvcc::Store& store, std::uint64_t& keys);
  /// `record` is part of the answer.
  void add(mvcc::Record record);
  bool has_reached_limit() const;
  Part part_of(const std::vector<mvcc::Record>& records, std::uint64_t bytes);

  Request request_;  ///< Keeps the bytes that `asked_` views.
  RangeRequest asked_;
  Header header_;
  Revision revision_;
  Revision latest_;  ///< The store's when this began, for the header.
  Shown shown_;

  Phase phase_ = Phase::selecting;
  std::string next_key_;  ///< Where to go on.
  std::uint64_t fetched_ = 0;
  std::uint64_t passed_ = 0;
  std::uint64_t selected_ = 0;
  std::uint64_t selected_bytes_ = 0;
  std::uint64_t count_ = 0;
  bool counts_on_ = false;  ///< Behind `next_key_`, which is behind all that was fetched.

  bool is_kept_ = false;            ///< `kept_` is all that was selected.
  std::vector<mvcc::Record> kept_;  ///< In the order of the answer.
  std::vector<Run> runs_;           ///< A heap by their first records, while they are merged into `kept_`.
  std::uint64_t read_ = 0;          ///< Of `selected_`.
  bool has_begun_ = false;          ///< The one message of a unary answer.
};

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_LISTING_H_

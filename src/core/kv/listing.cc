#include "core/kv/listing.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/kv/selection.h"

namespace metastore::kv {
namespace {

using mvcc::Record;

/// Gathering a key to be sorted, and finding its place, each cost about as much as looking at so many.
constexpr std::uint64_t looks_a_sorted_key = 16;
/// And looking at one costs as much as so many leaves, or keys, that are only counted.
constexpr std::uint64_t counts_a_look = 8;

}  // namespace

Result<Listing> Listing::begin(const mvcc::Store& store, Request request, const Header& header) {
  const auto* range = std::get_if<RangeRequest>(&request.body());
  ASSERT(range != nullptr);
  RangeRequest asked = *range;
  // A stream's order is that of the keys, whatever it is to be sorted by in no order.
  if (request.method() == Method::range_stream) asked.sort_target = SortTarget::key;
  Revision revision = store.current_revision();
  if (asked.revision > 0) {
    revision = Revision(asked.revision);
    if (const Status<> readable = store.check_readable(revision); !readable) return readable.error();
  }
  return Listing(std::move(request), asked, header, revision, store.current_revision());
}

Listing::Listing(Request request, const RangeRequest& asked, const Header& header, Revision revision, Revision latest)
    : request_(std::move(request)),
      asked_(asked),
      header_(header),
      revision_(revision),
      latest_(latest),
      shown_(shown(asked)),
      next_key_(asked.range.key) {
  if (asked_.count_only) end_selection(true);
}

bool Listing::has_reached_limit() const {
  return asked_.limit > 0 && selected_ == static_cast<std::uint64_t>(asked_.limit);
}

void Listing::add(Record record) {
  ++selected_;
  selected_bytes_ += record_field_size(2, record, shown_);
}

bool Listing::measure(const mvcc::Store& store, std::uint64_t& keys) {
  while (keys > 0 && phase_ < Phase::reading) {
    if (phase_ == Phase::selecting) {
      select(store, keys);
    } else if (phase_ == Phase::sorting) {
      sort(keys);
    } else {
      count(store, keys);
    }
  }
  return phase_ >= Phase::reading;
}

void Listing::select(const mvcc::Store& store, std::uint64_t& keys) {
  const bool in_key_order = is_in_key_order(asked_);
  const bool is_first = fetched_ == 0;
  const std::uint64_t limit = fetch_limit(asked_);
  const std::uint64_t cost = in_key_order ? 1 : looks_a_sorted_key;
  const std::uint64_t given = (keys + cost - 1) / cost;
  std::uint64_t left = given;
  std::vector<Record> found;
  const std::optional<BytesView> rest_key = store.range_some(rest(), revision_, left, [&](Record record) {
    if (fetched_ == limit) return false;
    ++fetched_;
    if (!passes(asked_, record)) return true;
    ++passed_;
    if (!in_key_order || (is_first && !has_reached_limit())) found.push_back(record);
    if (in_key_order && !has_reached_limit()) add(record);
    return true;
  });
  keys -= std::min(keys, (given - left) * cost);
  const bool is_over = !rest_key || fetched_ == limit;
  next_key_ = rest_key.value_or(BytesView());

  if (!in_key_order) {
    // Keys are unique: a total order.
    std::sort(found.begin(), found.end(), [&](Record a, Record b) { return precedes(asked_, a, b); });
    if (!found.empty()) runs_.push_back({std::move(found), 0});
  } else if (is_first && is_over) {
    // What one slice finds need not be looked for again.
    is_kept_ = true;
    kept_ = std::move(found);
  }
  if (is_over) end_selection(rest_key.has_value());
}

void Listing::end_selection(bool counts_on) {
  count_ = fetched_;
  counts_on_ = counts_on;
  if (is_in_key_order(asked_) || asked_.count_only) {
    phase_ = Phase::counting;
    return;
  }
  phase_ = Phase::sorting;
  is_kept_ = true;
  kept_.reserve(asked_.limit > 0 ? std::min(passed_, static_cast<std::uint64_t>(asked_.limit)) : passed_);
}

void Listing::sort(std::uint64_t& keys) {
  // The heap's first is the run that goes on first.
  const auto goes_later = [&](const Run& a, const Run& b) { return precedes(asked_, b.front(), a.front()); };
  if (selected_ == 0) std::make_heap(runs_.begin(), runs_.end(), goes_later);
  while (!runs_.empty() && !has_reached_limit()) {
    if (keys == 0) return;
    keys -= std::min(keys, looks_a_sorted_key);
    std::pop_heap(runs_.begin(), runs_.end(), goes_later);
    Run& run = runs_.back();
    add(run.front());
    kept_.push_back(run.front());
    if (++run.next == run.records.size()) {
      runs_.pop_back();
    } else {
      std::push_heap(runs_.begin(), runs_.end(), goes_later);
    }
  }
  runs_ = {};
  phase_ = Phase::counting;
}

void Listing::count(const mvcc::Store& store, std::uint64_t& keys) {
  if (counts_on_) {
    const std::uint64_t given = keys * counts_a_look;
    std::uint64_t left = given;
    const mvcc::KeyIndex::Count counted = store.count_some(rest(), revision_, left);
    keys -= std::min(keys, (given - left + counts_a_look - 1) / counts_a_look);
    count_ += counted.keys;
    next_key_ = counted.rest.value_or(BytesView());
    if (counted.rest) return;
  }
  next_key_ = asked_.range.key;
  phase_ = Phase::reading;
}

std::uint64_t Listing::message_bytes() const {
  return header_field_size(header_, latest_) + selected_bytes_ + varint_field_size(3, passed_ > selected_) +
         varint_field_size(4, count_);
}

Listing::Part Listing::read(const mvcc::Store& store, std::uint64_t& keys, std::uint64_t bytes_max) {
  ASSERT(phase_ == Phase::reading);
  std::vector<Record> records;
  std::uint64_t bytes = 0;
  const auto take = [&](Record record) {
    const std::size_t size = record_field_size(2, record, shown_);
    if (read_ == selected_ || (!records.empty() && bytes + size > bytes_max)) return false;
    bytes += size;
    records.push_back(record);
    ++read_;
    return true;
  };
  if (is_kept_) {
    while (keys > 0 && read_ < selected_ && take(kept_[read_])) --keys;
  } else {
    const std::optional<BytesView> rest_key = store.range_some(
        rest(), revision_, keys, [&](Record record) { return !passes(asked_, record) || take(record); });
    ASSERT((rest_key || read_ == selected_));
    next_key_ = rest_key.value_or(BytesView());
  }
  if (records.empty() && read_ < selected_) return {};
  return part_of(records, bytes);
}

void Listing::pause() {
  if (!is_kept_ || !is_in_key_order(asked_)) return;
  if (phase_ == Phase::reading && read_ < selected_) next_key_ = kept_[read_].key();
  is_kept_ = false;
  kept_ = {};
}

std::uint64_t Listing::held_bytes() const {
  return request_.message_bytes() + next_key_.size() + (is_in_key_order(asked_) ? 0 : passed_ * sizeof(Record));
}

Listing::Part Listing::part_of(const std::vector<Record>& records, std::uint64_t bytes) {
  const bool is_last = read_ == selected_;
  // In a stream it is the last message that has a header.
  const bool has_header = is_stream() ? is_last : !std::exchange(has_begun_, true);
  const bool more = passed_ > selected_;
  std::size_t size = bytes + (has_header ? header_field_size(header_, latest_) : 0);
  if (is_last) size += varint_field_size(3, more) + varint_field_size(4, count_);

  Part part;
  const std::size_t whole = is_stream() ? message_field_size(1, size) : size;
  if (is_stream()) {
    part.message_bytes = whole;
  } else if (has_header) {
    part.message_bytes = message_bytes();
  }
  part.bytes = Bytes::build(whole, [&](char* out) {
    WireWriter writer(out);
    if (is_stream()) writer.message_field(1, size);
    if (has_header) write_header_field(writer, header_, latest_);
    for (const Record record : records) write_record_field(writer, 2, record, shown_);
    if (is_last) {
      writer.varint_field(3, more);
      writer.varint_field(4, count_);
    }
    ASSERT(writer.end() == out + whole);
  });
  if (is_last) phase_ = Phase::finished;
  return part;
}

}  // namespace metastore::kv

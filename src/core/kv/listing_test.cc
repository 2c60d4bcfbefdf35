// A listing in slices against the range of one step: the same bytes must come of both, whatever happens in between.
#include "core/kv/listing.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "core/base/prng.h"
#include "core/kv/range.h"
#include "core/proto/rpc.pb.h"

namespace metastore::kv {
namespace {

namespace pb = etcdserverpb;

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
const Header header{.cluster = ClusterId(9), .member = MemberId(7), .term = Term(2)};

Request request_of(Method method, const pb::RangeRequest& range) {
  return decode(method, Bytes::copy_of(range.SerializeAsString()), Limits()).value();
}

std::string in_one_step(const mvcc::Store& store, const pb::RangeRequest& range) {
  const Request request = request_of(Method::range, range);
  const auto response = kv::range(View(store), *std::get_if<RangeRequest>(&request.body()));
  return std::string(encode(header, response.value()).view());
}

class Life {
 public:
  explicit Life(std::uint64_t seed) : prng_(seed, "listings") {
    for (std::uint64_t changes = prng_.below(200); changes > 0; --changes) change();
  }

  void change() {
    mvcc::Transaction transaction(store_);
    const std::string key = draw_key();
    if (prng_.chance(1, 4)) {
      transaction.delete_range({key, prng_.chance(1, 10) ? BytesView("\0", 1) : BytesView()});
    } else {
      transaction.put(key, std::string(prng_.below(40), static_cast<char>('a' + prng_.below(26))),
                      LeaseId(prng_.chance(1, 5) ? prng_.between(1, 9) : 0));
    }
    transaction.commit();
  }

  /// What may happen between two slices: all but the freeing of what is still read.
  void live_on(Revision pinned) {
    while (prng_.chance(1, 3)) change();
    if (prng_.chance(1, 5)) store_.compact(Revision(prng_.between(1, store_.current_revision().value()))).ok();
    if (store_.compact_revision() <= pinned) store_.compact_some(prng_.below(20));
  }

  pb::RangeRequest draw(bool for_stream) {
    pb::RangeRequest range;
    range.set_key(prng_.chance(1, 3) ? std::string("k") : draw_key());
    if (prng_.chance(9, 10)) range.set_range_end(prng_.chance(1, 2) ? std::string(1, '\0') : draw_key());
    if (prng_.chance(1, 2)) range.set_limit(prng_.between(1, 30));
    const std::int64_t oldest = std::max<std::int64_t>(1, store_.compact_revision().value());
    if (prng_.chance(1, 3)) range.set_revision(prng_.between(oldest, store_.current_revision().value()));
    range.set_keys_only(prng_.chance(1, 5));
    range.set_count_only(prng_.chance(1, 8));
    range.set_sort_target(static_cast<pb::RangeRequest::SortTarget>(prng_.below(5)));
    if (for_stream) return range;
    range.set_sort_order(static_cast<pb::RangeRequest::SortOrder>(prng_.below(3)));
    const auto some = [&] { return prng_.between(1, store_.current_revision().value() + 1); };
    if (prng_.chance(1, 6)) range.set_min_mod_revision(some());
    if (prng_.chance(1, 6)) range.set_max_mod_revision(some());
    if (prng_.chance(1, 6)) range.set_min_create_revision(some());
    if (prng_.chance(1, 6)) range.set_max_create_revision(some());
    return range;
  }

  /// All parts, and what each was announced to begin.
  std::vector<Listing::Part> parts(Listing listing) {
    const auto allowance = [&] { return prng_.chance(1, 4) ? prng_.below(500) : prng_.below(5); };
    for (std::uint64_t keys = allowance(); !listing.measure(store_, keys); keys = allowance()) {
      live_on(listing.revision());
      listing.pause();
    }
    if (prng_.chance(1, 2)) listing.pause();
    std::vector<Listing::Part> parts;
    while (!listing.is_finished()) {
      std::uint64_t keys = allowance();
      Listing::Part part = listing.read(store_, keys, prng_.below(300));
      if (!part.bytes.empty()) parts.push_back(std::move(part));
      live_on(listing.revision());
      if (prng_.chance(1, 2)) listing.pause();
    }
    return parts;
  }

  std::string draw_key() { return "k" + std::to_string(prng_.below(60)); }
  const mvcc::Store& store() const { return store_; }

 private:
  Prng prng_;
  mvcc::Store store_;
};

TEST_CASE(
    "the slices of a listing are the bytes of the range, however they are cut and whatever is written meanwhile") {
  std::uint64_t several = 0;
  for (std::uint64_t seed = 1; seed <= 3'000; ++seed) {
    CAPTURE(seed);
    Life life(seed);
    const pb::RangeRequest range = life.draw(false);
    CAPTURE(range.ShortDebugString());
    const std::string expected = in_one_step(life.store(), range);
    const auto parts = life.parts(Listing::begin(life.store(), request_of(Method::range, range), header).value());
    std::string bytes;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      CHECK(parts[i].message_bytes == (i == 0 ? expected.size() : 0));
      bytes += parts[i].bytes.view();
    }
    CHECK(bytes == expected);
    several += parts.size() > 2 ? 1 : 0;
  }
  CHECK(several > 500);
}

TEST_CASE("a stream's messages add up to the range in the order of its keys, and only the last has a header") {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    CAPTURE(seed);
    Life life(seed);
    pb::RangeRequest range = life.draw(true);
    pb::RangeRequest natural = range;
    natural.clear_sort_target();
    const std::string expected = in_one_step(life.store(), natural);
    const auto parts =
        life.parts(Listing::begin(life.store(), request_of(Method::range_stream, range), header).value());
    REQUIRE(!parts.empty());
    if (range.count_only()) CHECK(parts.size() == 1);
    pb::RangeStreamResponse sum;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      CHECK(parts[i].message_bytes == parts[i].bytes.size());
      pb::RangeStreamResponse message;
      REQUIRE(message.ParseFromArray(parts[i].bytes.data(), static_cast<int>(parts[i].bytes.size())));
      CHECK(message.range_response().has_header() == (i + 1 == parts.size()));
      if (i + 1 < parts.size()) {
        CHECK(message.range_response().count() == 0);
        CHECK_FALSE(message.range_response().more());
      }
      sum.MergeFrom(message);
    }
    CHECK(sum.range_response().SerializeAsString() == expected);
  }
}

TEST_CASE("a listing of one slice does not look at its records again") {
  mvcc::Store store;
  mvcc::Transaction transaction(store);
  for (int i = 0; i < 100; ++i) transaction.put("key" + std::to_string(i), "value", LeaseId());
  transaction.commit();
  pb::RangeRequest range;
  range.set_key("k");
  range.set_range_end("l");
  range.set_limit(10);
  Listing listing = Listing::begin(store, request_of(Method::range, range), header).value();
  std::uint64_t keys = 1'000;
  REQUIRE(listing.measure(store, keys));
  // Eleven records, one of which only says that there is more, and the count of the others.
  CHECK(keys >= 1'000 - 11 - 12);
  CHECK(listing.read(store, keys, unlimited).bytes.size() == listing.message_bytes());
  CHECK(listing.is_finished());
}

TEST_CASE("a listing begins only at a revision that can be read") {
  Life life(1);
  while (life.store().current_revision() < Revision(10)) life.change();
  pb::RangeRequest range;
  range.set_key("k");
  range.set_revision(100'000);
  const auto begun = Listing::begin(life.store(), request_of(Method::range, range), header);
  REQUIRE(!begun.ok());
  CHECK(begun.error() == ErrorCode::future_revision);
}

TEST_CASE("a stream is neither sorted nor filtered") {
  const auto refusal = [](pb::RangeRequest range) {
    range.set_key("k");
    const auto decoded = decode(Method::range_stream, Bytes::copy_of(range.SerializeAsString()), Limits());
    return decoded.ok() ? std::string_view() : text(decoded.error());
  };
  pb::RangeRequest range;
  CHECK(refusal(range) == "");
  range.set_sort_order(pb::RangeRequest::ASCEND);
  CHECK(refusal(range) == "");
  range.set_sort_target(pb::RangeRequest::VERSION);
  CHECK(refusal(range) == "RangeStream does not support custom sort orders");
  range.set_sort_order(pb::RangeRequest::NONE);
  CHECK(refusal(range) == "");
  range.set_max_create_revision(5);
  CHECK(refusal(range) == "RangeStream does not support revision filters");
  range.set_sort_order(pb::RangeRequest::DESCEND);
  CHECK(refusal(range) == "RangeStream does not support custom sort orders");
}

}  // namespace
}  // namespace metastore::kv

// Tests of the tester: what the plainest store answers to the rarer requests, as the contract says (5.1 to 5.4).
#include "sim/checkers/model.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace metastore::sim {
namespace {

/// b was created before a, which has changed most; c hangs on a lease.
Model three_keys() {
  Model model;
  model.apply(Put{"b", "2"});
  model.apply(Put{"a", "3"});
  model.apply(Put{.key = "c", .value = "1", .lease = 7});
  model.apply(Put{"a", "2"});
  return model;
}

std::string keys_of(const Model& model, const Get& get) {
  const Response response = model.read(get);
  std::string keys;
  for (const KeyValue& kv : std::get<GetReply>(response.reply).kvs) keys += kv.key;
  return keys;
}

TEST_CASE("a list is sorted by what it is asked for, and of equals the smaller key comes first both ways") {
  const Model model = three_keys();
  const auto sorted = [&model](SortBy by, bool is_descending) {
    return keys_of(model, {.keys = all_keys(), .sorted_by = by, .is_descending = is_descending});
  };
  CHECK(sorted(SortBy::key, false) == "abc");
  CHECK(sorted(SortBy::key, true) == "cba");
  CHECK(sorted(SortBy::version, false) == "bca");
  CHECK(sorted(SortBy::version, true) == "abc");
  CHECK(sorted(SortBy::creation, false) == "bac");
  CHECK(sorted(SortBy::modification, true) == "acb");
  CHECK(sorted(SortBy::value, false) == "cab");
  CHECK(sorted(SortBy::value, true) == "abc");
}

TEST_CASE("bounds leave keys out, and the count is that of all the same") {
  const Model model = three_keys();
  CHECK(keys_of(model, {.keys = all_keys(), .create_revision_min = 3}) == "ac");
  CHECK(keys_of(model, {.keys = all_keys(), .create_revision_max = 3}) == "ab");
  CHECK(keys_of(model, {.keys = all_keys(), .mod_revision_min = 4, .mod_revision_max = 4}) == "c");
  const Response response = model.read({.keys = all_keys(), .limit = 1, .mod_revision_max = 4});
  CHECK(std::get<GetReply>(response.reply).count == 3);
  CHECK(std::get<GetReply>(response.reply).more);
}

TEST_CASE("keys without values show leases only where values have sorted them") {
  const Model model = three_keys();
  const auto lease_of_c = [&model](SortBy by) {
    const Response response = model.read({.keys = {"c", ""}, .is_keys_only = true, .sorted_by = by});
    return std::get<GetReply>(response.reply).kvs.front().lease;
  };
  CHECK(lease_of_c(SortBy::key) == 0);
  CHECK(lease_of_c(SortBy::value) == 7);
}

TEST_CASE("a comparison of a range holds for all of its keys, and of none for a key that is not there") {
  Model model = three_keys();
  const auto holds = [&model](const Comparison& comparison) {
    Txn txn;
    txn.comparisons.push_back(comparison);
    const Response response = model.apply(txn);
    return std::get<TxnReply>(response.reply).succeeded;
  };
  using Target = CompareTarget;
  using Result = CompareResult;
  const std::string end = all_keys().end;
  CHECK(holds({.keys = {"a", end}, .target = Target::version, .result = Result::greater}));
  CHECK_FALSE(holds({.keys = {"a", end}, .target = Target::version, .result = Result::greater, .number = 1}));
  CHECK_FALSE(holds({.keys = {"a", end}, .target = Target::lease}));
  CHECK(holds({.keys = {"a", "c"}, .target = Target::lease}));
  CHECK(holds({.keys = {"c", ""}, .target = Target::lease, .number = 7}));
  CHECK(holds({.keys = {"x", "y"}, .target = Target::version}));
  CHECK_FALSE(holds({.keys = {"x", "y"}, .target = Target::value, .result = Result::not_equal, .value = "1"}));
}

TEST_CASE("a put keeps the value or the lease that is there, and is refused where nothing is") {
  Model model = three_keys();
  model.apply(Put{.key = "c", .value = "9", .keeps_lease = true});
  CHECK(model.keys().find("c")->second.lease == 7);
  CHECK(model.keys().find("c")->second.value == "9");
  model.apply(Put{.key = "c", .keeps_value = true});
  CHECK(model.keys().find("c")->second.lease == 0);
  CHECK(model.keys().find("c")->second.value == "9");
  CHECK_FALSE(model.is_refused());
  model.apply(Put{.key = "x", .keeps_value = true});
  CHECK(model.is_refused());
  model.undo();
  CHECK_FALSE(model.is_refused());
}

}  // namespace
}  // namespace metastore::sim

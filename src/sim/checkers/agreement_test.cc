// O4 sorts a history by revisions and passes over it once. Whether that is right is asked of a checker that knows no
// such trick: it tries every order that no clock contradicts, on histories that are short enough for that.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/prng.h"
#include "sim/checkers/serializability.h"

namespace metastore::sim {
namespace {

constexpr int histories = 10'000;
constexpr std::uint64_t txn_operations_max = 128;
constexpr std::uint64_t operations_max = 6;
constexpr std::uint64_t moments = 12;  ///< Clocks are coarse, so that many operations overlap.

/// The plainest store there is: each revision's keys, whole.
class Store {
 public:
  std::optional<Response> answer(const Request& request) {
    if (const auto* get = std::get_if<Get>(&request)) {
      if (get->revision > revision()) return std::nullopt;  // An error in truth; here it does not occur.
      return Response{revision(), read(get->revision > 0 ? get->revision : revision(), get->keys)};
    }
    State next = states_.back();
    Response response{revision(), {}};
    bool is_change = false;
    if (const auto* txn = std::get_if<Txn>(&request)) {
      const Comparison& asked = txn->comparisons.front();
      const auto found = next.find(asked.keys.begin);
      TxnReply reply{(found == next.end() ? 0 : found->second.mod_revision) == asked.number, {}};
      for (const Action& action : reply.succeeded ? txn->success : txn->failure) {
        if (const auto* put = std::get_if<Put>(&action)) {
          reply.replies.emplace_back(write(next, *put));
          is_change = true;
        } else {
          reply.replies.emplace_back(read(revision(), std::get<Get>(action).keys));
        }
      }
      response.reply = std::move(reply);
    } else if (const auto* put = std::get_if<Put>(&request)) {
      response.reply = write(next, *put);
      is_change = true;
    } else {
      const auto deleted = static_cast<std::int64_t>(next.erase(std::get<Delete>(request).keys.begin));
      response.reply = DeleteReply{deleted, {}};
      is_change = deleted > 0;
    }
    if (is_change) states_.push_back(std::move(next));
    response.revision = revision();
    return response;
  }
  std::int64_t revision() const { return static_cast<std::int64_t>(states_.size()); }
  std::vector<KeyValue> keys_at(std::int64_t revision) const { return read(revision, all_keys()).kvs; }

 private:
  using State = std::map<std::string, KeyValue>;

  GetReply read(std::int64_t at, const KeyRange& keys) const {
    GetReply reply;
    for (const auto& [key, kv] : states_[static_cast<std::size_t>(at - 1)]) {
      if (keys.end.empty() ? key == keys.begin : true) reply.kvs.push_back(kv);
    }
    reply.count = static_cast<std::int64_t>(reply.kvs.size());
    return reply;
  }
  PutReply write(State& state, const Put& put) const {
    PutReply reply;
    KeyValue& kv = state[put.key];
    if (put.wants_previous && kv.version > 0) reply.previous = kv;
    const std::int64_t next = revision() + 1;
    kv = {put.key, put.value, kv.version > 0 ? kv.create_revision : next, next, kv.version + 1};
    return reply;
  }

  std::vector<State> states_{State()};  ///< That of revision 1 first.
};

struct Asked {
  Request request;
  std::uint64_t invoked = 0;
  std::uint64_t returned = 0;
  std::optional<Response> response;  ///< None: the outcome is unknown.
};

struct Tale {
  std::vector<Asked> asked;  ///< In the order of asking.
  std::map<std::int64_t, std::vector<KeyValue>> surveys;
};

Instant at(std::uint64_t second) { return Instant() + Duration::seconds(static_cast<std::int64_t>(second)); }

/// Tries everything: any of those that may come next is put next, until all that were answered have their place.
bool is_possible(const Tale& tale, const Store& store, std::vector<bool>& is_placed) {
  const auto survey = tale.surveys.find(store.revision());
  if (survey != tale.surveys.end() && survey->second != store.keys_at(store.revision())) return false;
  bool is_complete = tale.surveys.empty() || tale.surveys.rbegin()->first <= store.revision();
  for (std::size_t i = 0; i < tale.asked.size(); ++i) {
    if (is_placed[i]) continue;
    const Asked& next = tale.asked[i];
    if (next.response) is_complete = false;
    // Whoever had returned before it was asked stands before it; what may be stale may be put further back.
    const bool is_too_early = !may_be_stale(next.request) && [&] {
      for (std::size_t j = 0; j < tale.asked.size(); ++j) {
        if (!is_placed[j] && tale.asked[j].response && tale.asked[j].returned < next.invoked) return true;
      }
      return false;
    }();
    if (is_too_early) continue;
    Store after = store;
    const std::optional<Response> answer = after.answer(next.request);
    if (!answer || (next.response && *answer != *next.response)) continue;
    is_placed[i] = true;
    if (is_possible(tale, after, is_placed)) return true;
    is_placed[i] = false;
  }
  return is_complete;
}

std::string verdict_of_everything(const Tale& tale) {
  std::vector<bool> is_placed(tale.asked.size());
  return is_possible(tale, Store(), is_placed) ? "right" : "wrong";
}

/// None if somebody was told of a revision that nobody knows anything of: O4 is not asked before a survey.
std::optional<std::string> verdict_of_o4(const Tale& tale) {
  History history;
  for (const Asked& asked : tale.asked) {
    Operation& operation = history.begin(1, 1, asked.request, at(asked.invoked));
    if (asked.response) {
      history.end_done(operation, *asked.response, at(asked.returned));
    } else {
      history.end_failed(operation, "etcdserver: request timed out", at(asked.returned));
    }
  }
  for (const auto& [revision, kvs] : tale.surveys) {
    history.saw_revision(revision);
    history.add_survey(revision, {at(moments), kvs});
  }
  if (history.settled_revision() != history.newest_revision()) return std::nullopt;
  SerializabilityCounts counts;
  return check_serializability(history, txn_operations_max, counts) ? "wrong" : "right";
}

class Teller {
 public:
  explicit Teller(std::uint64_t seed) : prng_(seed, "tales") {}

  /// What really happened: each operation took place at some moment between its question and its answer.
  Tale tell() {
    struct Happening {
      std::uint64_t moment;
      Asked asked;
    };
    std::vector<Happening> happenings(1 + prng_.below(operations_max));
    for (Happening& happening : happenings) {
      happening.moment = 1 + prng_.below(moments - 2);
      happening.asked.invoked = happening.moment - prng_.below(std::min<std::uint64_t>(happening.moment, 4));
      happening.asked.returned = happening.moment + 1 + prng_.below(4);
    }
    std::sort(happenings.begin(), happenings.end(), [](const Happening& a, const Happening& b) {
      return std::tie(a.moment, a.asked.invoked, a.asked.returned) <
             std::tie(b.moment, b.asked.invoked, b.asked.returned);
    });
    Tale tale;
    Store store;
    std::vector<std::int64_t> surveyed;
    for (Happening& happening : happenings) {
      Asked& asked = happening.asked;
      asked.request = draw_request(store.revision());
      const std::int64_t before = store.revision();
      const bool is_unknown = prng_.chance(1, 5);
      // What nobody answered for may have happened or not.
      if (!is_unknown || prng_.chance(1, 2)) asked.response = store.answer(asked.request);
      if (is_unknown && store.revision() > before) surveyed.push_back(store.revision());
      if (is_unknown) asked.response.reset();
      tale.asked.push_back(asked);
    }
    if (prng_.chance(1, 4)) surveyed.push_back(store.revision());
    for (const std::int64_t revision : surveyed) tale.surveys[revision] = store.keys_at(revision);
    sort(tale);
    return tale;
  }

  /// One thing is told otherwise. It need not be wrong for that.
  void distort(Tale& tale) {
    Asked& one = tale.asked[prng_.below(tale.asked.size())];
    Asked& other = tale.asked[prng_.below(tale.asked.size())];
    switch (prng_.below(7)) {
      case 0:
        one.invoked = 1 + prng_.below(moments);
        one.returned = one.invoked + 1 + prng_.below(3);
        break;
      case 1:
        std::swap(one.invoked, other.invoked);
        std::swap(one.returned, other.returned);
        break;
      case 2:
        if (one.response && other.response) std::swap(one.response->revision, other.response->revision);
        break;
      case 3:
        if (one.response) one.response->revision += prng_.between(-1, 1);
        break;
      case 4:
        one.request = draw_request(1);
        break;
      case 5:
        if (one.response && one.response->reply.index() == 0) distort(std::get<GetReply>(one.response->reply).kvs);
        break;
      default:
        if (!tale.surveys.empty()) distort(tale.surveys.begin()->second);
    }
    sort(tale);
  }

 private:
  static void sort(Tale& tale) {
    // Whoever asked at the same time stays as told.
    for (auto at = tale.asked.begin(); at != tale.asked.end(); ++at) {
      const auto place = std::upper_bound(tale.asked.begin(), at, *at,
                                          [](const Asked& a, const Asked& b) { return a.invoked < b.invoked; });
      std::rotate(place, at, at + 1);
    }
  }
  void distort(std::vector<KeyValue>& kvs) {
    if (kvs.empty()) {
      kvs.push_back({"a", "value 1", 2, 2, 1});
    } else if (KeyValue& kv = kvs[prng_.below(kvs.size())]; prng_.chance(1, 3)) {
      kv.value = draw_value();
    } else if (prng_.chance(1, 2)) {
      ++kv.mod_revision;
    } else {
      kvs.pop_back();
    }
  }
  std::string draw_key() { return prng_.chance(2, 3) ? "a" : "b"; }
  /// Few values, so that two writes may do the same thing.
  std::string draw_value() { return "value " + std::to_string(prng_.below(2)); }
  Request draw_request(std::int64_t newest) {
    const std::string key = draw_key();
    switch (prng_.below(8)) {
      case 0:
      case 1:
        return Get{.keys = prng_.chance(1, 2) ? all_keys() : KeyRange{key, ""},
                   .revision = prng_.chance(1, 4) ? prng_.between(1, newest) : 0};
      case 2:
        return Get{.keys = {key, ""}, .is_serializable = true};
      case 3:
        return Delete{{key, ""}};
      case 4: {
        Txn txn;
        const std::int64_t number = prng_.between(0, 1) * prng_.between(1, newest);
        txn.comparisons.push_back({.keys = {key, ""}, .target = CompareTarget::mod, .number = number});
        txn.success.emplace_back(Put{key, draw_value()});
        txn.failure.emplace_back(Get{.keys = {draw_key(), ""}});
        return txn;
      }
      default:
        return Put{key, draw_value(), prng_.chance(1, 3)};
    }
  }

  Prng prng_;
};

std::string text(const Tale& tale) {
  std::string text;
  for (const Asked& asked : tale.asked) {
    text += std::to_string(asked.invoked) + ".." + std::to_string(asked.returned) + " " + describe(asked.request) +
            " -> " + (asked.response ? describe(*asked.response) : "unknown") + "\n";
  }
  for (const auto& [revision, kvs] : tale.surveys) {
    text +=
        "survey of " + std::to_string(revision) + ": " + describe(Response{revision, GetReply{kvs, false, 0}}) + "\n";
  }
  return text;
}

TEST_CASE("O4 agrees with a search through all orders on 10,000 short histories, half of them wrong") {
  Teller teller(1);
  int wrong = 0;
  for (int judged = 0; judged < histories; ++judged) {
    Tale tale = teller.tell();
    REQUIRE_MESSAGE(verdict_of_everything(tale) == "right", text(tale));
    REQUIRE_MESSAGE(verdict_of_o4(tale) == "right", text(tale));
    if (judged % 2 == 0) continue;
    // Told otherwise until it is wrong; on the way both must agree, too.
    std::string searched = "right";
    for (int tries = 0; searched == "right" && tries < 100; ++tries) {
      Tale distorted = tale;
      teller.distort(distorted);
      const std::optional<std::string> sorted = verdict_of_o4(distorted);
      if (!sorted) continue;
      searched = verdict_of_everything(distorted);
      REQUIRE_MESSAGE(*sorted == searched, text(distorted));
      tale = std::move(distorted);
    }
    if (searched == "wrong") ++wrong;
  }
  CHECK(wrong > histories * 9 / 20);
}

}  // namespace
}  // namespace metastore::sim

#include "sim/checkers/hashes.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace metastore::sim {
namespace {

class HashCheck {
 public:
  HashCheck(const History& history, HashCounts& counts) : counts_(counts) {
    for (const Operation& operation : history.operations()) {
      const auto* compact = std::get_if<Compact>(&operation.request);
      if (compact == nullptr || operation.ending == Ending::refused) continue;
      compactions_.push_back({compact->revision, operation.invoked});
    }
    for (const UnaskedCompaction& unasked : history.unasked_compactions()) {
      compactions_.push_back({unasked.revision, unasked.at});
    }
  }

  /// What is wrong with the answer, or "".
  std::string judge(const Operation& operation) {
    const std::int64_t asked = std::get<HashKv>(operation.request).revision;
    if (operation.ending == Ending::refused) return judge_error(operation, asked);
    if (operation.ending != Ending::done) return "";
    ++counts_.hashes;
    const auto& reply = std::get<HashKvReply>(operation.response.reply);
    if (asked != 0 && reply.revision != asked) return "it is of another revision";
    if (reply.revision > operation.response.revision) return "it is of the future";
    if (reply.compacted > reply.revision) return "it is of what was compacted";
    const bool is_asked_for = is_compaction(operation, [&](std::int64_t at) { return at == reply.compacted; });
    if (reply.compacted > 0 && !is_asked_for) return "nobody compacted there";
    if (reply.compacted == reply.revision) ++counts_.at_compaction;
    const auto [known, is_new] = known_.try_emplace({reply.revision, reply.compacted}, &operation);
    if (is_new) return "";
    if (known->second->member != operation.member) ++counts_.of_several;
    const auto& other = std::get<HashKvReply>(known->second->response.reply);
    return other.hash == reply.hash ? "" : "another one was told before (" + describe(*known->second) + ")";
  }

 private:
  struct Compaction {
    std::int64_t revision = 0;
    Instant begun;
  };

  template <typename Condition>
  bool is_compaction(const Operation& before, Condition condition) const {
    return std::any_of(compactions_.begin(), compactions_.end(), [&](const Compaction& compaction) {
      return compaction.begun < before.returned && condition(compaction.revision);
    });
  }

  std::string judge_error(const Operation& operation, std::int64_t asked) {
    if (operation.error != "etcdserver: mvcc: required revision has been compacted") return "";
    ++counts_.refused;
    // Of the newest revision it is asked while that still is one, but it takes a while.
    return is_compaction(operation, [asked](std::int64_t at) { return at > asked; }) ? "" : "nobody compacted that far";
  }

  HashCounts& counts_;
  std::vector<Compaction> compactions_;
  std::map<std::pair<std::int64_t, std::int64_t>, const Operation*> known_;  ///< By revision and compaction.
};

}  // namespace

std::optional<Violation> check_hashes(const History& history, HashCounts& counts) {
  HashCheck check(history, counts);
  for (const Operation& operation : history.operations()) {
    if (!std::holds_alternative<HashKv>(operation.request)) continue;
    std::string why = check.judge(operation);
    if (!why.empty()) return Violation{"O2", operation.returned, std::move(why) + ": " + describe(operation)};
  }
  return std::nullopt;
}

}  // namespace metastore::sim

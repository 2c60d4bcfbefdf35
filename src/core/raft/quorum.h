// Majorities: of one set of voters, and of both halves of a joint configuration at once (thesis 4.3).
// Pure arithmetic over a ConfState; it knows no logs, votes or clocks, only values that voters have reached.
#ifndef METASTORE_CORE_RAFT_QUORUM_H_
#define METASTORE_CORE_RAFT_QUORUM_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "core/base/assert.h"
#include "core/raft/types.h"

namespace metastore::raft {

enum class VoteResult : std::uint8_t { pending, won, lost };

/// What the votes cast so far decide: true is a grant, false a refusal, absent is not yet cast.
VoteResult vote_result(const ConfState& conf, const std::map<MemberId, bool>& votes);

bool contains(const std::vector<MemberId>& members, MemberId id);
/// Whether `id` votes in one half or the other.
bool is_voter(const ConfState& conf, MemberId id);
/// Everybody that entries are sent to: voters of both halves and learners, sorted.
std::vector<MemberId> all_members(const ConfState& conf);

/// The largest value that more than half of `voters` have reached. Requires: there is a voter.
template <typename ValueOf>
auto reached_by_majority(const std::vector<MemberId>& voters, ValueOf value_of) {
  ASSERT(!voters.empty());
  std::vector<decltype(value_of(MemberId()))> values;
  for (const MemberId id : voters) values.push_back(value_of(id));
  // A total order: equal values cannot be told apart.
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

/// The largest value that a quorum has reached: of the incoming voters, and of the outgoing ones if there are any.
template <typename ValueOf>
auto reached_by_quorum(const ConfState& conf, ValueOf value_of) {
  const auto incoming = reached_by_majority(conf.voters, value_of);
  if (conf.voters_outgoing.empty()) return incoming;
  return std::min(incoming, reached_by_majority(conf.voters_outgoing, value_of));
}

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_QUORUM_H_

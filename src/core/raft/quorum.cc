#include "core/raft/quorum.h"

namespace metastore::raft {
namespace {

VoteResult majority_result(const std::vector<MemberId>& voters, const std::map<MemberId, bool>& votes) {
  std::size_t granted = 0;
  std::size_t refused = 0;
  for (const MemberId id : voters) {
    const auto vote = votes.find(id);
    if (vote == votes.end()) continue;
    ++(vote->second ? granted : refused);
  }
  const std::size_t majority = voters.size() / 2 + 1;
  if (granted >= majority) return VoteResult::won;
  return refused > voters.size() - majority ? VoteResult::lost : VoteResult::pending;
}

}  // namespace

VoteResult vote_result(const ConfState& conf, const std::map<MemberId, bool>& votes) {
  const VoteResult incoming = majority_result(conf.voters, votes);
  if (conf.voters_outgoing.empty()) return incoming;
  const VoteResult outgoing = majority_result(conf.voters_outgoing, votes);
  if (incoming == outgoing) return incoming;
  const bool is_lost = incoming == VoteResult::lost || outgoing == VoteResult::lost;
  return is_lost ? VoteResult::lost : VoteResult::pending;
}

bool contains(const std::vector<MemberId>& members, MemberId id) {
  return std::find(members.begin(), members.end(), id) != members.end();
}

bool is_voter(const ConfState& conf, MemberId id) {
  return contains(conf.voters, id) || contains(conf.voters_outgoing, id);
}

std::vector<MemberId> all_members(const ConfState& conf) {
  std::vector<MemberId> members = conf.voters;
  members.insert(members.end(), conf.voters_outgoing.begin(), conf.voters_outgoing.end());
  members.insert(members.end(), conf.learners.begin(), conf.learners.end());
  // A total order: equal ids cannot be told apart.
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

}  // namespace metastore::raft

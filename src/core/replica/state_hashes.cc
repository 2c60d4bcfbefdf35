#include "core/replica/state_hashes.h"

#include <algorithm>

namespace metastore {
namespace {

struct Count {
  std::size_t reported = 0;
  std::size_t most = 0;
  std::uint64_t most_frequent = 0;
};

/// Of the voters' hashes.
Count count(const std::map<MemberId, std::uint64_t>& hashes, const std::vector<MemberId>& voters) {
  Count count;
  std::map<std::uint64_t, std::size_t> votes;
  for (const MemberId voter : voters) {
    const auto found = hashes.find(voter);
    if (found == hashes.end()) continue;
    ++count.reported;
    const std::size_t number = ++votes[found->second];
    if (number <= count.most) continue;
    count.most = number;
    count.most_frequent = found->second;
  }
  return count;
}

bool differ(const std::map<MemberId, std::uint64_t>& hashes) {
  return std::any_of(hashes.begin(), hashes.end(),
                     [&](const auto& report) { return report.second != hashes.begin()->second; });
}

}  // namespace

void StateHashes::report(MemberId from, LogIndex index, std::uint64_t hash) {
  if (index < agreed_) return;
  points_[index].hashes[from] = hash;
  if (points_.size() > points_max) points_.erase(points_.begin());
  is_new_ = true;
}

std::vector<StateHashes::Suspect> StateHashes::judge(Instant now, const std::vector<MemberId>& voters) {
  std::vector<Suspect> suspects;
  if (!is_new_ && now < wake_at()) return suspects;
  is_new_ = false;
  const std::size_t quorum = voters.size() / 2 + 1;
  for (const auto& [index, point] : points_) {
    if (index <= agreed_ || count(point.hashes, voters).most < quorum) continue;
    agreed_ = index;
    differ_since_.reset();
  }
  // What a later point has settled needs no earlier one.
  points_.erase(points_.begin(), points_.lower_bound(agreed_));
  bool is_undecided = false;
  for (auto& [index, point] : points_) {
    if (!differ(point.hashes)) continue;
    const Count votes = count(point.hashes, voters);
    const bool has_majority = votes.most >= quorum;
    const bool can_have_majority = votes.most + (voters.size() - votes.reported) >= quorum;
    if (!has_majority) is_undecided = true;
    if (!has_majority && !differ_since_.has_value()) differ_since_ = now;
    if (!has_majority && can_have_majority && now < *differ_since_ + patience_) continue;
    for (const auto& [member, hash] : point.hashes) {
      if (has_majority && hash == votes.most_frequent) continue;
      if (!point.convicted.insert(member).second) continue;
      suspects.push_back({member, index, hash, has_majority ? std::optional(votes.most_frequent) : std::nullopt});
    }
  }
  if (!is_undecided) differ_since_.reset();
  return suspects;
}

Instant StateHashes::wake_at() const {
  if (!differ_since_.has_value()) return Instant::never();
  // Once patience has ended, they are convicted as they report.
  const bool has_ended = std::any_of(points_.begin(), points_.end(), [&](const auto& point) {
    return point.first > agreed_ && !point.second.convicted.empty();
  });
  return has_ended ? Instant::never() : *differ_since_ + patience_;
}

void StateHashes::clear() {
  points_.clear();
  agreed_ = LogIndex();
  differ_since_.reset();
  is_new_ = false;
}

}  // namespace metastore

#include "core/replica/proposals.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore {

void Proposals::add(LogIndex index, Term term, Proposal proposal) {
  ASSERT(appended_.empty() || appended_.back().term <= term);
  ASSERT(appended_.empty() || appended_.back().term < term || appended_.back().index < index);
  appended_.push_back({index, term, std::move(proposal)});
}

std::uint64_t Proposals::hand_on(Term term, Proposal proposal) {
  ASSERT(handed_on_.empty() || handed_on_.back().term <= term);
  handed_on_.push_back({++last_sequence_, term, std::move(proposal)});
  return last_sequence_;
}

std::optional<Waiting::Key> Proposals::take(LogIndex index, Term term, std::optional<std::uint64_t> sequence,
                                            std::vector<Proposal>& lost) {
  // Terms never fall along the log. So once an entry of `term` is applied at `index`, no proposal of an earlier term
  // that is still here can ever be applied, and none of this term at a smaller index.
  std::optional<Waiting::Key> taken;
  while (!appended_.empty()) {
    Appended& first = appended_.front();
    if (first.term > term || (first.term == term && first.index > index)) break;
    if (first.term == term && first.index == index) {
      taken = first.proposal.key;
    } else {
      lost.push_back(std::move(first.proposal));
    }
    appended_.pop_front();
  }
  // A leader takes only rising sequences of a member, and each for its own term alone: what it has passed over is lost.
  while (!handed_on_.empty()) {
    HandedOn& first = handed_on_.front();
    const bool is_passed_over = first.term == term && sequence.has_value() && first.sequence <= *sequence;
    if (first.term >= term && !is_passed_over) break;
    if (is_passed_over && first.sequence == *sequence) {
      taken = first.proposal.key;
    } else {
      lost.push_back(std::move(first.proposal));
    }
    handed_on_.pop_front();
  }
  return taken;
}

std::optional<Proposal> Proposals::take_refused(Term term, std::uint64_t sequence) {
  const auto found = std::find_if(handed_on_.begin(), handed_on_.end(), [&](const HandedOn& handed_on) {
    return handed_on.term == term && handed_on.sequence == sequence;
  });
  if (found == handed_on_.end()) return std::nullopt;
  Proposal proposal = std::move(found->proposal);
  handed_on_.erase(found);
  return proposal;
}

}  // namespace metastore

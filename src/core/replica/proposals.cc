#include "core/replica/proposals.h"

#include "core/base/assert.h"

namespace metastore {

void Proposals::add(LogIndex index, Term term, Waiting::Key key) {
  ASSERT(proposals_.empty() || proposals_.back().term <= term);
  ASSERT(proposals_.empty() || proposals_.back().term < term || proposals_.back().index < index);
  proposals_.push_back({index, term, key});
}

std::optional<Waiting::Key> Proposals::take(LogIndex index, Term term, std::vector<Waiting::Key>& lost) {
  // Terms never fall along the log. So once an entry of `term` is applied at `index`, no proposal of an earlier term
  // that is still here can ever be applied, and none of this term at a smaller index.
  std::optional<Waiting::Key> taken;
  while (!proposals_.empty()) {
    const Proposal& first = proposals_.front();
    if (first.term > term || (first.term == term && first.index > index)) break;
    if (first.term == term && first.index == index) {
      taken = first.key;
    } else {
      lost.push_back(first.key);
    }
    proposals_.pop_front();
  }
  return taken;
}

}  // namespace metastore

#include "sim/partitions.h"

#include <algorithm>
#include <vector>

#include "sim/machine.h"

namespace metastore::sim {

Partitions::Partitions(const Plan& plan, World& world, Post& post, TraceLog& trace, DeedLog& deeds)
    : plan_(plan), world_(world), post_(post), trace_(trace), deeds_(deeds), prng_(plan.seed, "partitions") {
  const auto& weights = plan.post.cut_weights;
  const bool is_ever_cut = std::any_of(weights.begin(), weights.end(), [](auto weight) { return weight > 0; });
  if (plan.members > 1 && is_ever_cut && !plan.is_scripted) {
    ticket_ = world_.after(prng_.between(Duration(), plan_.post.cut_interval_max), *this);
  }
}

Partitions::~Partitions() { world_.cancel(ticket_); }

void Partitions::retire() {
  world_.cancel(ticket_);
  post_.heal();
}

template <typename Kind>
void Partitions::decide(const Kind& kind) {
  deeds_.add(world_.now(), kind);
  perform(kind);
}

void Partitions::run() {
  if (is_cut_) {
    decide(Mend{});
  } else {
    decide(draw_cut());
  }
  is_cut_ = !is_cut_;
  const Duration longest = is_cut_ ? plan_.post.cut_max : plan_.post.cut_interval_max;
  ticket_ = world_.after(prng_.between(Duration(), longest), *this);
}

void Partitions::perform(const Mend&) {
  trace_.add(world_.now(), "network", "is whole again");
  post_.mend();
}

void Partitions::perform(const CutLinks& cut) {
  if (trace_.is_wanted()) trace_.add(world_.now(), "network", deed_text(cut));
  for (const auto& [from, to] : cut.links) post_.cut(member_id(from), member_id(to));
}

CutLinks Partitions::draw_cut() {
  const auto kind = static_cast<Cut>(prng_.weighted(plan_.post.cut_weights.data(), plan_.post.cut_weights.size()));
  ++counts_[static_cast<std::size_t>(kind)];
  std::vector<std::uint64_t> order;
  for (std::uint64_t number = 1; number <= plan_.members; ++number) order.push_back(number);
  for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[prng_.below(left)]);
  CutLinks cut;
  const auto cut_both = [&cut](std::uint64_t a, std::uint64_t b) {
    cut.links.emplace_back(a, b);
    cut.links.emplace_back(b, a);
  };
  const std::uint64_t one = order.front();
  switch (kind) {
    case Cut::isolation:
      for (std::size_t i = 1; i < order.size(); ++i) cut_both(one, order[i]);
      break;
    case Cut::deaf:
      for (std::size_t i = 1; i < order.size(); ++i) cut.links.emplace_back(order[i], one);
      break;
    case Cut::mute:
      for (std::size_t i = 1; i < order.size(); ++i) cut.links.emplace_back(one, order[i]);
      break;
    case Cut::pair:
      cut_both(one, order.back());
      break;
    case Cut::halves:
    case Cut::bridge: {
      // The bridge is the first: it belongs to neither side.
      const std::size_t begin = kind == Cut::bridge ? 1 : 0;
      const std::size_t middle = begin + (order.size() - begin) / 2;
      for (std::size_t a = begin; a < middle; ++a) {
        for (std::size_t b = middle; b < order.size(); ++b) cut_both(order[a], order[b]);
      }
      break;
    }
  }
  return cut;
}

}  // namespace metastore::sim

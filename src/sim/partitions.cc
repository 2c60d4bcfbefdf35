#include "sim/partitions.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sim/machine.h"

namespace metastore::sim {

Partitions::Partitions(const Plan& plan, World& world, Post& post, TraceLog& trace)
    : plan_(plan), world_(world), post_(post), trace_(trace), prng_(plan.seed, "partitions") {
  const auto& weights = plan.post.cut_weights;
  const bool is_ever_cut = std::any_of(weights.begin(), weights.end(), [](auto weight) { return weight > 0; });
  if (plan.members > 1 && is_ever_cut) {
    ticket_ = world_.after(prng_.between(Duration(), plan_.post.cut_interval_max), *this);
  }
}

Partitions::~Partitions() { world_.cancel(ticket_); }

void Partitions::retire() {
  world_.cancel(ticket_);
  post_.heal();
}

void Partitions::run() {
  if (is_cut_) {
    trace_.add(world_.now(), "network", "is whole again");
    post_.mend();
  } else {
    cut(static_cast<Cut>(prng_.weighted(plan_.post.cut_weights.data(), plan_.post.cut_weights.size())));
  }
  is_cut_ = !is_cut_;
  const Duration longest = is_cut_ ? plan_.post.cut_max : plan_.post.cut_interval_max;
  ticket_ = world_.after(prng_.between(Duration(), longest), *this);
}

void Partitions::cut(Cut kind) {
  constexpr std::string_view names[] = {"isolation", "halves", "deaf", "mute", "pair", "bridge"};
  ++counts_[static_cast<std::size_t>(kind)];
  std::vector<MemberId> order;
  for (std::uint64_t number = 1; number <= plan_.members; ++number) order.push_back(member_id(number));
  for (std::size_t left = order.size(); left > 1; --left) std::swap(order[left - 1], order[prng_.below(left)]);
  if (trace_.is_wanted()) {
    std::string text = "is cut, " + std::string(names[static_cast<std::size_t>(kind)]) + ":";
    for (const MemberId member : order) text += " " + std::to_string(member_number(member));
    trace_.add(world_.now(), "network", text);
  }
  const MemberId one = order.front();
  switch (kind) {
    case Cut::isolation:
      for (std::size_t i = 1; i < order.size(); ++i) cut_both(one, order[i]);
      return;
    case Cut::deaf:
      for (std::size_t i = 1; i < order.size(); ++i) post_.cut(order[i], one);
      return;
    case Cut::mute:
      for (std::size_t i = 1; i < order.size(); ++i) post_.cut(one, order[i]);
      return;
    case Cut::pair:
      return cut_both(one, order.back());
    case Cut::halves:
    case Cut::bridge: {
      // The bridge is the first: it belongs to neither side.
      const std::size_t begin = kind == Cut::bridge ? 1 : 0;
      const std::size_t middle = begin + (order.size() - begin) / 2;
      for (std::size_t a = begin; a < middle; ++a) {
        for (std::size_t b = middle; b < order.size(); ++b) cut_both(order[a], order[b]);
      }
      return;
    }
  }
}

void Partitions::cut_both(MemberId a, MemberId b) {
  post_.cut(a, b);
  post_.cut(b, a);
}

}  // namespace metastore::sim

#include "sim/partitions.h"

#include <algorithm>
#include <utility>

namespace metastore::sim {

Partitions::Partitions(const Plan& plan, World& world, NetworkSim& network, TraceLog& trace, DeedLog& deeds)
    : plan_(plan), world_(world), network_(network), trace_(trace), deeds_(deeds), prng_(plan.seed, "partitions") {
  const auto& weights = plan.peers.cut_weights;
  const bool is_ever_cut = std::any_of(weights.begin(), weights.end(), [](auto weight) { return weight > 0; });
  if (plan.machines() > 1 && is_ever_cut && !plan.is_scripted) {
    ticket_ = world_.after(prng_.between(Duration(), plan_.peers.cut_interval_max), *this);
  }
}

Partitions::~Partitions() { world_.cancel(ticket_); }

void Partitions::retire() {
  world_.cancel(ticket_);
  network_.mend_all();
}

template <typename Kind>
void Partitions::decide(const Kind& kind) {
  deeds_.add(world_.now(), kind);
  perform(kind);
}

void Partitions::run() {
  Duration longest = plan_.peers.cut_max;
  CutLinks cut;
  if (!to_isolate_.empty()) {
    isolate(to_isolate_.back(), cut);
    to_isolate_.pop_back();
  } else if (!to_mend_.empty()) {
    to_mend_.pop_back();
    decide(Mend{});
    for (const Site site : to_mend_) isolate(site, cut);
  } else if (is_cut_) {
    decide(Mend{});
    is_cut_ = false;
    longest = plan_.peers.cut_interval_max;
  } else {
    cut = draw_cut();
    is_cut_ = true;
  }
  if (!cut.links.empty()) decide(cut);
  ticket_ = world_.after(prng_.between(Duration(), longest), *this);
}

void Partitions::mend() { decide(Mend{}); }

void Partitions::part(const std::vector<Site>& ones, const std::vector<Site>& others) {
  mend();
  CutLinks cut;
  for (const Site one : ones) {
    for (const Site other : others) {
      cut.links.emplace_back(one, other);
      cut.links.emplace_back(other, one);
    }
  }
  if (!cut.links.empty()) decide(cut);
}

void Partitions::perform(const Mend&) {
  trace_.add(world_.now(), "network", "is whole again");
  network_.mend_all();
}

void Partitions::perform(const CutLinks& cut) {
  if (trace_.is_wanted()) trace_.add(world_.now(), "network", deed_text(cut));
  for (const auto& [from, to] : cut.links) network_.cut(from, to);
}

CutLinks Partitions::draw_cut() {
  const auto kind = static_cast<Cut>(prng_.weighted(plan_.peers.cut_weights.data(), plan_.peers.cut_weights.size()));
  ++counts_[static_cast<std::size_t>(kind)];
  const std::vector<Site> order = draw_order(plan_, prng_);
  const Site one = order.front();
  CutLinks cut;
  const auto cut_both = [&cut](Site a, Site b) {
    cut.links.emplace_back(a, b);
    cut.links.emplace_back(b, a);
  };
  switch (kind) {
    case Cut::isolation:
      isolate(one, cut);
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
    case Cut::swizzle:
      to_isolate_.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(1 + prng_.below(order.size())));
      for (const Site site : draw_order(plan_, prng_)) {
        if (std::find(to_isolate_.begin(), to_isolate_.end(), site) != to_isolate_.end()) to_mend_.push_back(site);
      }
      break;
  }
  return cut;
}

void Partitions::isolate(Site one, CutLinks& cut) const {
  for (Site other = 1; other <= plan_.machines(); ++other) {
    if (other == one) continue;
    cut.links.emplace_back(one, other);
    cut.links.emplace_back(other, one);
  }
}

}  // namespace metastore::sim

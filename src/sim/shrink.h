// Makes a failing run small: takes away deeds and settings for as long as what is left still fails in the same way.
// Whoever takes something away also shifts what is drawn for disks and networks, so that a smaller run is tried with
// some other seeds of that noise too. It knows runs as data alone; how one is run, and what "the same way" means, is
// another's. Source: ddmin of Zeller and Hildebrandt, 2002, without its tests of subsets: complements find the same, in
// fewer runs.
#ifndef METASTORE_SIM_SHRINK_H_
#define METASTORE_SIM_SHRINK_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sim/scenario.h"
#include "sim/simpler_run.h"
#include "sim/words.h"

namespace metastore::sim {

/// `Judge` has `std::optional<std::size_t> first_failing(const std::vector<ShrinkableRun>&)`, the index of one that
/// fails in the same way, `bool is_late()`, after which nothing more is tried, and `void tell(const ShrinkableRun&)`,
/// which is called with the smallest run whenever there is a new one.
template <typename Judge>
class Shrinker {
 public:
  Shrinker(ShrinkableRun run, Judge& judge) : best_(std::move(run)), judge_(judge) {}

  /// Requires: the run fails. The result does too.
  ShrinkableRun shrink() {
    take_away_tail();
    take_away_members();
    take_away_noise();
    take_away_actors();
    while (!judge_.is_late()) {
      const std::size_t before = size();
      take_away_deeds(true);
      unfold_transactions(true);
      unfold_transactions(false);
      take_away_settings();
      take_away_deeds(false);
      take_away_members();
      tighten_settings();
      lengthen_values();
      if (size() < before) continue;
      if (parts_max_ < size()) {
        parts_max_ *= 8;
      } else if (best_.events() > events_wanted && seeds_min_ < seeds_max) {
        // What is left needs luck: the more of it is tried, the less is needed of anything else.
        seeds_min_ *= 4;
      } else {
        break;
      }
    }
    return best_;
  }

 private:
  static constexpr std::size_t events_wanted = 12;
  static constexpr std::size_t few_deeds = 16;
  static constexpr std::uint64_t seeds_max = 128;

  /// Which deeds one of these did.
  enum class Actor : std::uint8_t { client, watcher, keeper };

  std::size_t size() const { return best_.deeds.size() + best_.settings.size(); }

  /// The shortest beginning that fails is looked for from short ones on: a run takes as long as it has deeds.
  void take_away_tail() {
    for (bool has_shrunk = true; has_shrunk && !judge_.is_late();) {
      has_shrunk = false;
      for (std::size_t parts = 32; parts > 1 && !has_shrunk; parts /= 2) {
        ShrinkableRun smaller = best_;
        smaller.deeds.resize(best_.deeds.size() / parts);
        has_shrunk = smaller.deeds.size() >= few_deeds && try_run(smaller);
      }
    }
  }

  /// What befell many members befalls few.
  void take_away_members() {
    for (std::uint64_t left = 1; left <= 3 && !judge_.is_late(); ++left) {
      const auto smaller = with_members(best_, left);
      if (smaller && try_run(*smaller)) return;
    }
  }

  /// All that is set goes at once, but who there is.
  void take_away_noise() {
    constexpr std::string_view people[] = {
        "members=", "newcomers=", "clients=", "watchers=", "keepers=", "contenders=", "successions="};
    ShrinkableRun smaller = best_;
    std::erase_if(smaller.settings, [&](const std::string& line) {
      return std::none_of(std::begin(people), std::end(people),
                          [&](std::string_view name) { return line.starts_with(name); });
    });
    try_run(smaller);
  }

  /// Of transactions one branch is left, whatever they compare: that is often a revision, which is another one when
  /// anything before it is taken away.
  void unfold_transactions(bool is_success) {
    std::vector<std::pair<std::size_t, Request>> simpler;
    const auto look = [&] {
      simpler.clear();
      for (std::size_t i = 0; i < best_.deeds.size(); ++i) {
        const auto* ask = std::get_if<Ask>(&best_.deeds[i].kind);
        if (ask == nullptr) continue;
        if (auto branch = unfolded(ask->request, is_success)) simpler.emplace_back(i, std::move(*branch));
      }
    };
    look();
    reduce(
        simpler.size(),
        [&](std::size_t begin, std::size_t end) {
          ShrinkableRun smaller = best_;
          for (std::size_t i = begin; i < end; ++i) {
            std::get<Ask>(smaller.deeds[simpler[i].first].kind).request = simpler[i].second;
          }
          return smaller;
        },
        [&](std::size_t, std::size_t) { look(); });
  }

  /// All that one client, watcher or keeper did goes at once.
  void take_away_actors() {
    std::vector<std::pair<Actor, std::uint64_t>> actors;
    for (const Deed& deed : best_.deeds) {
      const auto actor = actor_of(deed);
      if (actor && std::find(actors.begin(), actors.end(), *actor) == actors.end()) actors.push_back(*actor);
    }
    reduce(
        actors.size(),
        [&](std::size_t begin, std::size_t end) {
          ShrinkableRun smaller = best_;
          std::erase_if(smaller.deeds, [&](const Deed& deed) {
            const auto actor = actor_of(deed);
            return actor && std::find(actors.begin() + static_cast<std::ptrdiff_t>(begin),
                                      actors.begin() + static_cast<std::ptrdiff_t>(end),
                                      *actor) != actors.begin() + static_cast<std::ptrdiff_t>(end);
          });
          return smaller;
        },
        [&](std::size_t begin, std::size_t end) {
          actors.erase(actors.begin() + static_cast<std::ptrdiff_t>(begin),
                       actors.begin() + static_cast<std::ptrdiff_t>(end));
        });
  }

  static std::optional<std::pair<Actor, std::uint64_t>> actor_of(const Deed& deed) {
    return std::visit(
        [](const auto& kind) -> std::optional<std::pair<Actor, std::uint64_t>> {
          if constexpr (requires { kind.client; }) return std::pair(Actor::client, kind.client);
          if constexpr (requires { kind.watcher; }) return std::pair(Actor::watcher, kind.watcher);
          if constexpr (requires { kind.keeper; }) return std::pair(Actor::keeper, kind.keeper);
          return std::nullopt;
        },
        deed.kind);
  }

  void take_away_deeds(bool wants_faults) {
    std::vector<std::size_t> places;
    const auto look = [&] {
      places.clear();
      for (std::size_t i = 0; i < best_.deeds.size(); ++i) {
        if (is_fault(best_.deeds[i]) == wants_faults) places.push_back(i);
      }
    };
    look();
    reduce(
        places.size(),
        [&](std::size_t begin, std::size_t end) {
          ShrinkableRun smaller = best_;
          for (std::size_t i = end; i > begin; --i) {
            smaller.deeds.erase(smaller.deeds.begin() + static_cast<std::ptrdiff_t>(places[i - 1]));
          }
          lowered_ = without_revisions(best_, smaller, places[begin]);
          return smaller;
        },
        [&](std::size_t, std::size_t) { look(); });
  }

  void take_away_settings() {
    reduce(
        best_.settings.size(),
        [&](std::size_t begin, std::size_t end) {
          ShrinkableRun smaller = best_;
          smaller.settings.erase(smaller.settings.begin() + static_cast<std::ptrdiff_t>(begin),
                                 smaller.settings.begin() + static_cast<std::ptrdiff_t>(end));
          return smaller;
        },
        [](std::size_t, std::size_t) {});
  }

  /// Smaller limits and surer noise make rare things common, so that fewer deeds lead to them.
  void tighten_settings() {
    for (std::size_t i = 0; i < best_.settings.size(); ++i) {
      const std::size_t sign = best_.settings[i].find('=');
      const std::string name = best_.settings[i].substr(0, sign);
      // A segment holds a few records, or nothing could be written.
      const std::uint64_t low = name == "limit wal_segment_bytes" ? 4'096 : 1;
      while (!judge_.is_late()) {
        const auto value = parse_count(best_.settings[i].substr(sign + 1));
        const bool is_limit = name.starts_with("limit ") && value > low;
        const bool is_noise = name.ends_with("_permille") && value < 500u;
        if (!value || (!is_limit && !is_noise)) break;
        ShrinkableRun tighter = best_;
        tighter.settings[i] = name + "=" + std::to_string(is_limit ? std::max(low, *value / 2) : 500);
        if (!try_run(tighter)) break;
      }
    }
  }

  /// Large values fill files and queues sooner. They stay if fewer of them do then.
  void lengthen_values() {
    constexpr std::size_t long_bytes = 1'500;
    if (best_.events() <= events_wanted) return;
    const ShrinkableRun shorter = best_;
    ShrinkableRun longer = best_;
    for (Deed& deed : longer.deeds) {
      auto* ask = std::get_if<Ask>(&deed.kind);
      auto* put = ask == nullptr ? nullptr : std::get_if<Put>(&ask->request);
      if (put != nullptr && put->value.size() < long_bytes) put->value.resize(long_bytes, 'x');
    }
    if (!try_run(longer)) return;
    take_away_deeds(false);
    if (best_.events() > shorter.events() * 3 / 4) best_ = shorter;
  }

  /// Takes ranges of `count` things away, from all of them down to one of `parts_max_` parts, or single ones.
  /// `without(begin, end)` is the best run without those, `taken(begin, end)` is called once they are gone for good.
  template <typename Without, typename Taken>
  void reduce(std::size_t count, Without&& without, Taken&& taken) {
    const std::size_t chunk_min = count / parts_max_ + 1;
    for (std::size_t chunk = count; chunk >= chunk_min; chunk = chunk == 1 ? 0 : (chunk + 1) / 2) {
      // From the end: what came last is what nothing else follows from.
      for (std::size_t end = count; end > 0 && !judge_.is_late();) {
        const std::size_t begin = end > chunk ? end - chunk : 0;
        if (try_run(without(begin, end))) {
          count -= end - begin;
          taken(begin, end);
        }
        end = begin;
      }
    }
  }

  bool try_run(const ShrinkableRun& smaller) {
    // Many deeds take long and bring their own variety.
    const std::uint64_t seeds = smaller.deeds.size() > 100 ? 2 : smaller.deeds.size() > 50 ? 4 : seeds_min_;
    const std::optional<ShrinkableRun> lowered = std::exchange(lowered_, std::nullopt);
    std::vector<ShrinkableRun> candidates;
    for (std::uint64_t i = 0; i < seeds; ++i) {
      candidates.push_back(smaller);
      candidates.back().seed += i;
      if (!lowered) continue;
      candidates.push_back(*lowered);
      candidates.back().seed += i;
    }
    const auto failing = judge_.first_failing(candidates);
    if (!failing) return false;
    best_ = std::move(candidates[*failing]);
    judge_.tell(best_);
    return true;
  }

  ShrinkableRun best_;
  Judge& judge_;
  std::optional<ShrinkableRun> lowered_;  ///< To be tried beside the next one.
  std::size_t parts_max_ = 8;
  std::uint64_t seeds_min_ = 8;  ///< Of noise that a run of few deeds is tried with.
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_SHRINK_H_

#include "core/watch/range_index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <list>

#include "core/watch/watcher.h"

namespace metastore::watch {
namespace {

std::string draw_key(Prng& prng) {
  std::string key;
  for (std::uint64_t i = prng.below(3) + 1; i > 0; --i) key.push_back(static_cast<char>('a' + prng.below(4)));
  return key;
}

TEST_CASE("the index finds what asking every watcher would find, through insertions and removals") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Prng prng(seed, "range index test");
    RangeIndex index;
    std::list<Watcher> watchers;
    for (int step = 0; step < 400; ++step) {
      if (watchers.empty() || prng.chance(6, 10)) {
        Watcher& watcher = watchers.emplace_back();
        watcher.sequence = static_cast<std::uint64_t>(step);
        watcher.key = draw_key(prng);
        const std::uint64_t kind = prng.below(4);
        if (kind == 1) watcher.range_end = std::string(1, '\0');
        if (kind >= 2) watcher.range_end = watcher.key + draw_key(prng);
        index.insert(watcher.range(), watcher);
      } else {
        auto victim = watchers.begin();
        std::advance(victim, prng.below(watchers.size()));
        index.erase(victim->range(), *victim);
        watchers.erase(victim);
      }
      index.check_invariants();
      const std::string key = draw_key(prng);
      std::vector<std::uint64_t> expected;
      for (const Watcher& watcher : watchers) {
        if (watcher.range().contains(key)) expected.push_back(watcher.sequence);
      }
      std::vector<std::uint64_t> found;
      index.visit(key, [&](Watcher& watcher) { found.push_back(watcher.sequence); });
      std::sort(found.begin(), found.end());
      REQUIRE(found == expected);
    }
    while (!watchers.empty()) {
      index.erase(watchers.front().range(), watchers.front());
      watchers.pop_front();
    }
    CHECK(index.empty());
  }
}

}  // namespace
}  // namespace metastore::watch

// Puts things into a drawn order, every one as likely as every other. What is drawn depends on how many they are, and
// must never depend on what they are.
#ifndef METASTORE_SIM_REORDER_H_
#define METASTORE_SIM_REORDER_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "core/base/prng.h"

namespace metastore::sim {

template <typename T>
void reorder(std::vector<T>& things, Prng& prng) {
  for (std::size_t left = things.size(); left > 1; --left) std::swap(things[left - 1], things[prng.below(left)]);
}

}  // namespace metastore::sim

#endif  // METASTORE_SIM_REORDER_H_

// Which limits of the product are drawn, and between which bounds: the tighter ones are where its corners are. Each has
// a stream of its own, so that a limit that is added shifts no other.
#ifndef METASTORE_SIM_DRAWN_LIMITS_H_
#define METASTORE_SIM_DRAWN_LIMITS_H_

#include <cstdint>
#include <string_view>

#include "core/base/limits.h"

namespace metastore::sim {

/// Those of a whole cluster.
Limits draw_limits(std::uint64_t seed);
/// Draws those anew in which a member may differ from the others of its cluster.
void redraw_limits(std::uint64_t seed, std::string_view stream, Limits& limits);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_DRAWN_LIMITS_H_

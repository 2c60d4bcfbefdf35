// A run as one HTML page that needs nothing else: no network, no other file. It shows a lane for each member, client
// and watcher, messages between them, and the state of each member at every moment. It judges nothing and hides nothing
// but what is too long ago.
#ifndef METASTORE_SIM_REPORT_PAGE_H_
#define METASTORE_SIM_REPORT_PAGE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "sim/chronicle.h"

namespace metastore::sim {

/// Of a longer run only the end is shown: a browser draws so many at ease.
inline constexpr std::size_t report_moments_max = 50'000;

/// `title` names the run, `verdict` is its last line, `plan` what was decided before it began, in lines.
std::string report_page(const Chronicle& chronicle, std::string_view title, std::string_view verdict,
                        std::string_view plan);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_REPORT_PAGE_H_

#include "core/replica/cluster_version.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace metastore {
namespace {

using Series = std::pair<std::uint32_t, std::uint32_t>;

/// Of "major.minor", whatever stands behind it.
std::optional<Series> series_of(std::string_view version) {
  const char* const end = version.data() + version.size();
  Series series;
  const auto major = std::from_chars(version.data(), end, series.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, series.second);
  if (minor.ec != std::errc() || (minor.ptr != end && *minor.ptr != '.')) return std::nullopt;
  return series;
}

}  // namespace

std::optional<std::string> version_of_all(const Members& members, MemberId self, std::string_view own) {
  std::optional<Series> smallest = series_of(own);
  for (const auto& [id, member] : members.all()) {
    if (id == self) continue;
    const std::optional<Series> series = series_of(member.version);
    if (!series.has_value() || !smallest.has_value()) return std::nullopt;
    smallest = std::min(*smallest, *series);
  }
  if (!smallest.has_value()) return std::nullopt;
  return std::to_string(smallest->first) + "." + std::to_string(smallest->second) + ".0";
}

bool is_newer(std::string_view version, std::string_view current) {
  return current.empty() || series_of(version) > series_of(current);
}

}  // namespace metastore

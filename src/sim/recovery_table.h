// How soon clusters answer again, over many runs: a histogram in election timeouts, whose buckets double, with a column
// each for runs of one member, of several that all heal, and of several of which a quorum alone heals.
#ifndef METASTORE_SIM_RECOVERY_TABLE_H_
#define METASTORE_SIM_RECOVERY_TABLE_H_

#include <array>
#include <cstdint>
#include <string>

#include "sim/simulation.h"

namespace metastore::sim {

class RecoveryTable {
 public:
  enum class Column : std::uint8_t { one_member, all_heal, quorum_heals };
  static constexpr std::size_t columns = 3;

  static std::size_t column_of(const Report& report) {
    if (report.members == 1) return static_cast<std::size_t>(Column::one_member);
    return static_cast<std::size_t>(report.recovery->is_by_quorum ? Column::quorum_heals : Column::all_heal);
  }
  /// Thousandths of an election timeout.
  static std::uint64_t timeouts_permille(const Recovery& recovery) {
    return static_cast<std::uint64_t>(recovery.time.nanoseconds() / (recovery.election_timeout / 1'000).nanoseconds());
  }

  /// Anything for a column that there is not is no news.
  void add(std::size_t column, std::uint64_t timeouts_permille) {
    if (column >= columns) return;
    std::size_t bucket = 0;
    while (bucket + 1 < buckets && timeouts_permille > upper_permille(bucket)) ++bucket;
    ++counts_[bucket][column];
  }
  /// Lines.
  std::string text() const;

 private:
  /// From 1/8 to 64, and more.
  static constexpr std::size_t buckets = 11;
  static constexpr std::uint64_t upper_permille(std::size_t bucket) { return std::uint64_t{125} << bucket; }

  std::array<std::array<std::uint64_t, columns>, buckets> counts_ = {};
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_RECOVERY_TABLE_H_

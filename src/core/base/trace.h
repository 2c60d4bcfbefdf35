// Typed facts that the core tells about itself. Sinks make lines of them: the member's log, golden transcripts, the
// simulator's report. A trace line decides nothing and is no part of the rolling hash.
#ifndef METASTORE_CORE_BASE_TRACE_H_
#define METASTORE_CORE_BASE_TRACE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace metastore {

enum class TraceLevel : std::uint8_t { debug, info, warn, error };

struct TraceField {
  std::string_view key;  ///< A literal.
  std::variant<std::uint64_t, std::int64_t, std::string> value;
  bool operator==(const TraceField&) const = default;
};

/// The place in the code that states a fact, filled in by the compiler. It is no part of the fact: all are equal.
struct TraceSource {
  const char* file = __builtin_FILE();
  int line = __builtin_LINE();
  bool operator==(const TraceSource&) const { return true; }
};

struct TraceLine {
  TraceLevel level = TraceLevel::info;
  std::string_view message;  ///< A literal: the fact, in etcd's words where etcd logs the same.
  std::vector<TraceField> fields;
  TraceSource source = {};
  bool operator==(const TraceLine&) const = default;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_TRACE_H_

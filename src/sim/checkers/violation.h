// What an oracle says when the system under test is wrong: which oracle, when, and what it saw.
#ifndef METASTORE_SIM_CHECKERS_VIOLATION_H_
#define METASTORE_SIM_CHECKERS_VIOLATION_H_

#include <string>
#include <string_view>

#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore::sim {

struct Violation {
  std::string_view oracle;  ///< "O3": simulation.md, section 3.
  Instant at;
  std::string message;
};

/// "term 7".
inline std::string text(Term term) { return "term " + std::to_string(term.value()); }

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_VIOLATION_H_

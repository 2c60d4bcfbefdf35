#include "core/base/error.h"

#include <array>

#include "core/base/assert.h"

namespace metastore {
namespace {

struct Row {
  std::string_view name;
  StatusCode status;
  std::string_view text;
  Outcome outcome;
};

constexpr std::array rows = {
#define METASTORE_ERROR_ROW(name, code, text, outcome) Row{#name, StatusCode::code, text, Outcome::outcome},
    METASTORE_ERRORS(METASTORE_ERROR_ROW)
#undef METASTORE_ERROR_ROW
};

const Row& row(ErrorCode code) {
  const auto position = static_cast<std::size_t>(code);
  ASSERT(position < rows.size());
  return rows[position];
}

}  // namespace

StatusCode status_code(ErrorCode code) { return row(code).status; }
std::string_view text(ErrorCode code) { return row(code).text; }
Outcome outcome(ErrorCode code) { return row(code).outcome; }
std::string_view name(ErrorCode code) { return row(code).name; }

}  // namespace metastore

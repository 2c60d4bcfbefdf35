#include "core/kv/method.h"

#include <array>

#include "core/base/assert.h"

namespace metastore::kv {
namespace {

struct Row {
  std::string_view name;
  std::string_view path;
};

constexpr std::array rows = {
#define METASTORE_METHOD_ROW(name, kind, path) Row{#name, path},
    METASTORE_METHODS(METASTORE_METHOD_ROW)
#undef METASTORE_METHOD_ROW
};

const Row& row(Method method) {
  const auto position = static_cast<std::size_t>(method);
  ASSERT(position < rows.size());
  return rows[position];
}

}  // namespace

std::string_view path(Method method) { return row(method).path; }
std::string_view name(Method method) { return row(method).name; }

}  // namespace metastore::kv

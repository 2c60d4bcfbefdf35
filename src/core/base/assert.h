// Assertions that stay on in production (design D10). A failed one is our bug, never a caller's mistake and never a
// broken machine: it prints the condition and its place and aborts.
#ifndef METASTORE_CORE_BASE_ASSERT_H_
#define METASTORE_CORE_BASE_ASSERT_H_

namespace metastore {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace metastore

#define ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::metastore::assertion_failed(#condition, __FILE__, __LINE__))
#define UNREACHABLE() ::metastore::assertion_failed("unreachable", __FILE__, __LINE__)

#endif  // METASTORE_CORE_BASE_ASSERT_H_

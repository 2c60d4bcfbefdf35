// Several lambdas as one visitor of a variant.
// Use: std::visit(Overloaded{[](const Put& put) { ... }, [](const auto& other) { ... }}, request);
// The last resort `auto` is for alternatives that are really alike; where each differs, list them, so that a new one
// fails to compile.
#ifndef METASTORE_CORE_BASE_OVERLOADED_H_
#define METASTORE_CORE_BASE_OVERLOADED_H_

namespace metastore {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_OVERLOADED_H_

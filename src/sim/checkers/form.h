// Which requests must be refused for their form alone (contract 1.5): the oracle's own reading of the rules, as far as
// the workload breaks them.
#ifndef METASTORE_SIM_CHECKERS_FORM_H_
#define METASTORE_SIM_CHECKERS_FORM_H_

#include <cstdint>
#include <string_view>

#include "sim/operation.h"

namespace metastore::sim {

/// etcd's error text, or "" where the form is good.
std::string_view form_error(const Request& request, std::uint64_t txn_operations_max);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_FORM_H_

// What `--version` prints: our own version, the etcd API level that we speak, and what this binary was built from.
#ifndef METASTORE_SERVER_BUILD_VERSION_H_
#define METASTORE_SERVER_BUILD_VERSION_H_

#include <string>

namespace metastore::server {

std::string version_text();

}  // namespace metastore::server

#endif  // METASTORE_SERVER_BUILD_VERSION_H_

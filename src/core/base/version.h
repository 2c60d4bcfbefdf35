// The versions that we speak and say. The etcd version is the API level: clients decide by it what they may use.
#ifndef METASTORE_CORE_BASE_VERSION_H_
#define METASTORE_CORE_BASE_VERSION_H_

#include <string_view>

namespace metastore {

inline constexpr std::string_view metastore_version = "0.1.0";
inline constexpr std::string_view etcd_version = "3.7.1";
/// What a cluster is said to speak whose members have not all told what they do.
inline constexpr std::string_view etcd_cluster_version_min = "3.0.0";

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_VERSION_H_

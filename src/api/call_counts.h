// How many calls of which method came, what became of them, and how long that took: what grpc_server_* and etcd's own
// counters of client traffic show. Integers for people, which begin anew with each start; counting allocates nothing
// but for the first call of a client version, and their number is bounded.
#ifndef METASTORE_API_CALL_COUNTS_H_
#define METASTORE_API_CALL_COUNTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "api/client_version.h"
#include "core/base/error.h"
#include "core/base/histogram.h"
#include "core/base/time.h"
#include "core/kv/method.h"

namespace metastore::api {

inline constexpr std::size_t status_code_count = 17;
/// In nanoseconds: the default of Prometheus's clients, from 5 ms to 10 s.
inline constexpr std::array<std::uint64_t, 11> handling_bounds = {
    5'000'000,   10'000'000,    25'000'000,    50'000'000,    100'000'000,   250'000'000,
    500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

struct MethodCounts {
  std::uint64_t started = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::array<std::uint64_t, status_code_count> handled{};  ///< By status code.
  Histogram<handling_bounds> handling_nanoseconds;
};

struct VersionCounts {
  ClientVersion version;
  std::uint64_t unary = 0;
  std::uint64_t streams = 0;
};

class CallCounts {
 public:
  void started(kv::Method method, const ClientVersion& version);
  void received(kv::Method method, std::uint64_t message_bytes);
  void sent(kv::Method method, std::uint64_t message_bytes);
  void handled(kv::Method method, StatusCode status, Duration took);

  const MethodCounts& of(kv::Method method) const { return methods_[static_cast<std::size_t>(method)]; }
  std::span<const VersionCounts> versions() const { return versions_; }
  /// Of messages, without what surrounds them.
  std::uint64_t received_bytes() const { return received_bytes_; }
  std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  MethodCounts& at(kv::Method method) { return methods_[static_cast<std::size_t>(method)]; }

  std::array<MethodCounts, kv::method_count> methods_;
  std::vector<VersionCounts> versions_;
  std::uint64_t received_bytes_ = 0;
  std::uint64_t sent_bytes_ = 0;
};

}  // namespace metastore::api

#endif  // METASTORE_API_CALL_COUNTS_H_

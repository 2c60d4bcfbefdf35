// What a client is told when its request fails: etcd's gRPC codes and exact texts, one row each (contract 1.3).
// A row exists only if some code here answers with it. Everything that is not a caller's mistake or the life of the
// cluster is an ASSERT or a StorageError, never one of these.
#ifndef METASTORE_CORE_BASE_ERROR_H_
#define METASTORE_CORE_BASE_ERROR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace metastore {

/// gRPC's status codes, by their numbers on the wire.
enum class StatusCode : std::uint8_t {
  ok = 0,
  canceled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// What is known about a request that did not succeed (design, law 5).
enum class Outcome : std::uint8_t {
  refused,  ///< It did not happen and never will.
  unknown,  ///< It may have happened, or may still happen.
};

/// name, wire code, text, outcome.
#define METASTORE_ERRORS(X)                                                                                         \
  X(empty_key, invalid_argument, "etcdserver: key is not provided", refused)                                        \
  X(key_not_found, invalid_argument, "etcdserver: key not found", refused)                                          \
  X(value_provided, invalid_argument, "etcdserver: value is provided", refused)                                     \
  X(lease_provided, invalid_argument, "etcdserver: lease is provided", refused)                                     \
  X(too_many_ops, invalid_argument, "etcdserver: too many operations in txn request", refused)                      \
  X(txn_too_large, invalid_argument, "metastore: a txn reads at most 100000 keys and 32 MiB", refused)              \
  X(duplicate_key, invalid_argument, "etcdserver: duplicate key given in txn request", refused)                     \
  X(invalid_sort_option, invalid_argument, "etcdserver: invalid sort option", refused)                              \
  X(compacted, out_of_range, "etcdserver: mvcc: required revision has been compacted", refused)                     \
  X(future_revision, out_of_range, "etcdserver: mvcc: required revision is a future revision", refused)             \
  X(no_space, resource_exhausted, "etcdserver: mvcc: database space exceeded", unknown)                             \
  X(corrupt, data_loss, "etcdserver: corrupt cluster", refused)                                                     \
  X(lease_not_found, not_found, "etcdserver: requested lease not found", refused)                                   \
  X(lease_exists, failed_precondition, "etcdserver: lease already exists", refused)                                 \
  X(lease_ttl_too_large, out_of_range, "etcdserver: too large lease TTL", refused)                                  \
  X(request_too_large, invalid_argument, "etcdserver: request is too large", refused)                               \
  /* etcd maps this one to a type without a gRPC status: Unknown on the wire (contract 1.3). */                     \
  X(too_many_requests, unknown, "etcdserver: too many requests", refused)                                           \
  X(no_leader, unavailable, "etcdserver: no leader", refused)                                                       \
  X(transfer_timeout, unknown, "etcdserver: request timed out, leader transfer took too long", unknown)             \
  X(learner, failed_precondition, "etcdserver: rpc not supported for learner", refused)                             \
  X(not_leader, failed_precondition, "etcdserver: not leader", refused)                                             \
  X(bad_leader_transferee, failed_precondition, "etcdserver: bad leader transferee", refused)                       \
  X(wrong_downgrade_version_format, invalid_argument, "etcdserver: wrong downgrade target version format", refused) \
  X(invalid_downgrade_target_version, invalid_argument, "etcdserver: invalid downgrade target version", refused)    \
  X(cluster_version_unavailable, failed_precondition, "etcdserver: cluster version not found during downgrade",     \
    refused)                                                                                                        \
  X(unknown_method, unknown, "etcdserver: unknown method", refused)                                                 \
  X(not_defragmented, unknown, "etcdserver: cannot defragment; this member's log says why", refused)                \
  X(member_exists, failed_precondition, "etcdserver: member ID already exist", refused)                             \
  X(peer_url_exists, failed_precondition, "etcdserver: Peer URLs already exists", refused)                          \
  X(member_bad_urls, invalid_argument, "etcdserver: given member URLs are invalid", refused)                        \
  X(member_not_found, not_found, "etcdserver: member not found", refused)                                           \
  X(member_not_learner, failed_precondition, "etcdserver: can only promote a learner member", refused)              \
  X(learner_not_ready, failed_precondition,                                                                         \
    "etcdserver: can only promote a learner member which is in sync with leader", refused)                          \
  X(too_many_learners, failed_precondition, "etcdserver: too many learner members in cluster", refused)             \
  /* As too_many_requests. */                                                                                       \
  X(not_enough_started, unknown, "etcdserver: re-configuration failed due to not enough started members", refused)  \
  X(unhealthy, unavailable, "etcdserver: unhealthy cluster", refused)                                               \
  X(leader_changed, unavailable, "etcdserver: leader changed", unknown)                                             \
  X(stopped, unavailable, "etcdserver: server stopped", unknown)                                                    \
  X(timeout, unavailable, "etcdserver: request timed out", unknown)                                                 \
  X(leader_failed, unavailable, "etcdserver: request timed out, possibly due to previous leader failure", unknown)  \
  X(connection_lost, unavailable, "etcdserver: request timed out, possibly due to connection lost", unknown)        \
  X(deadline_exceeded, deadline_exceeded, "context deadline exceeded", unknown)                                     \
  X(range_stream_sorted, unimplemented, "RangeStream does not support custom sort orders", refused)                 \
  X(range_stream_filtered, unimplemented, "RangeStream does not support revision filters", refused)                 \
  X(reply_too_large, resource_exhausted, "grpc: trying to send message larger than max", refused)                   \
  X(undecodable, internal, "grpc: error unmarshalling request: the message is not valid protobuf", refused)

enum class ErrorCode : std::uint8_t {
#define METASTORE_ERROR_NAME(name, code, text, outcome) name,
  METASTORE_ERRORS(METASTORE_ERROR_NAME)
#undef METASTORE_ERROR_NAME
};

StatusCode status_code(ErrorCode code);
std::string_view text(ErrorCode code);
Outcome outcome(ErrorCode code);
/// The enumerator's own name, for transcripts: "future_revision".
std::string_view name(ErrorCode code);

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_ERROR_H_

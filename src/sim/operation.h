// What the simulator's clients ask and are told, in words of its own: the oracles read these and never the core's
// types, so that they share no code with what they check. wire.h turns them into protobuf messages and back.
#ifndef METASTORE_SIM_OPERATION_H_
#define METASTORE_SIM_OPERATION_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/time.h"

namespace metastore::sim {

struct KeyValue {
  std::string key;
  std::string value;
  std::int64_t create_revision = 0;
  std::int64_t mod_revision = 0;
  std::int64_t version = 0;
  std::int64_t lease = 0;
  bool operator==(const KeyValue&) const = default;
};

/// The keys [begin, end); an empty end means `begin` alone, "\0" everything from `begin` on.
struct KeyRange {
  std::string begin;
  std::string end;
  bool contains(std::string_view key) const;
  bool operator==(const KeyRange&) const = default;
};
KeyRange all_keys();

enum class SortBy : std::uint8_t { key = 0, version = 1, creation = 2, modification = 3, value = 4 };

struct Get {
  KeyRange keys;
  std::int64_t limit = 0;
  std::int64_t revision = 0;
  bool is_serializable = false;
  bool is_count_only = false;
  bool is_keys_only = false;
  SortBy sorted_by = SortBy::key;
  bool is_descending = false;
  /// What was created, or changed, earlier or later is left out; 0: nothing is.
  std::int64_t create_revision_min = 0;
  std::int64_t create_revision_max = 0;
  std::int64_t mod_revision_min = 0;
  std::int64_t mod_revision_max = 0;
};
bool has_bounds(const Get& get);

struct Put {
  std::string key;
  std::string value;
  bool wants_previous = false;
  std::int64_t lease = 0;  ///< 0: none.
  /// The key must be there, and its value, or its lease, stays.
  bool keeps_value = false;
  bool keeps_lease = false;
};

struct Delete {
  KeyRange keys;
  bool wants_previous = false;
};

enum class CompareTarget : std::uint8_t { version = 0, create = 1, mod = 2, value = 3, lease = 4 };
enum class CompareResult : std::uint8_t { equal = 0, greater = 1, less = 2, not_equal = 3 };

/// Holds for every key of the range; where there is none, for one that is not there.
struct Comparison {
  KeyRange keys;
  CompareTarget target = CompareTarget::version;
  CompareResult result = CompareResult::equal;
  std::int64_t number = 0;
  std::string value;
};

struct Txn;
/// A step of a transaction. The vector holds one nested transaction.
using Action = std::variant<Get, Put, Delete, std::vector<Txn>>;

struct Txn {
  std::vector<Comparison> comparisons;
  std::vector<Action> success;
  std::vector<Action> failure;
};

struct Compact {
  std::int64_t revision = 0;
  bool is_physical = false;
};

struct Grant {
  std::int64_t id = 0;  ///< 0: the member picks one.
  std::int64_t ttl_seconds = 0;
};

struct Revoke {
  std::int64_t id = 0;
};

struct TimeToLive {
  std::int64_t id = 0;
  bool wants_keys = false;
};

struct Leases {};

/// The hash of all keys. It is asked of a member about itself, as all that follows is.
struct HashKv {
  std::int64_t revision = 0;  ///< 0: the newest.
};

/// Which members have no room; and, for one of them, that it has room again.
struct Alarm {
  std::uint64_t disarmed = 0;  ///< Its id; 0: nobody's.
};

/// The member's file is written anew, without what it does not need any more.
struct Defragment {};

/// The hash of the member's whole state: keys, leases, members and all.
struct HashState {};

using Request = std::variant<Get, Put, Delete, Txn, Compact, Grant, Revoke, TimeToLive, Leases, HashKv, Alarm,
                             Defragment, HashState>;

struct GetReply {
  std::vector<KeyValue> kvs;
  bool more = false;
  std::int64_t count = 0;
  bool operator==(const GetReply&) const = default;
};

struct PutReply {
  std::optional<KeyValue> previous;
  bool operator==(const PutReply&) const = default;
};

struct DeleteReply {
  std::int64_t deleted = 0;
  std::vector<KeyValue> previous;
  bool operator==(const DeleteReply&) const = default;
};

struct TxnReply;
using ActionReply = std::variant<GetReply, PutReply, DeleteReply, std::vector<TxnReply>>;

struct TxnReply {
  bool succeeded = false;
  std::vector<ActionReply> replies;
  bool operator==(const TxnReply&) const;
};

struct CompactReply {
  bool operator==(const CompactReply&) const = default;
};

struct GrantReply {
  std::int64_t id = 0;
  std::int64_t ttl_seconds = 0;
  bool operator==(const GrantReply&) const = default;
};

struct RevokeReply {
  bool operator==(const RevokeReply&) const = default;
};

struct TimeToLiveReply {
  std::int64_t remaining_seconds = 0;
  std::int64_t granted_seconds = 0;  ///< 0: there is no such lease.
  std::vector<std::string> keys;
  bool operator==(const TimeToLiveReply&) const = default;
};

struct LeasesReply {
  std::vector<std::int64_t> ids;
  bool operator==(const LeasesReply&) const = default;
};

struct HashKvReply {
  std::uint32_t hash = 0;
  std::int64_t compacted = 0;
  std::int64_t revision = 0;
  bool operator==(const HashKvReply&) const = default;
};

struct AlarmReply {
  std::vector<std::uint64_t> members;
  bool operator==(const AlarmReply&) const = default;
};

struct DefragmentReply {
  bool operator==(const DefragmentReply&) const = default;
};

struct HashStateReply {
  std::uint32_t hash = 0;
  bool operator==(const HashStateReply&) const = default;
};

struct Response {
  std::int64_t revision = 0;  ///< The header's.
  std::variant<GetReply, PutReply, DeleteReply, TxnReply, CompactReply, GrantReply, RevokeReply, TimeToLiveReply,
               LeasesReply, HashKvReply, AlarmReply, DefragmentReply, HashStateReply>
      reply;
  bool operator==(const Response&) const = default;
};

/// What a client knows in the end.
enum class Ending : std::uint8_t {
  pending,  ///< Not answered yet.
  done,     ///< Answered with a response.
  refused,  ///< Answered with an error that says that nothing happened.
  unknown,  ///< An error that leaves it open, or no answer at all.
};

struct Operation {
  std::uint64_t id = 0;
  std::uint64_t client = 0;
  std::uint64_t member = 0;  ///< The one that was asked.
  Request request;
  Instant invoked;
  Instant returned = Instant::never();  ///< never() unless done or refused: what is unknown may still happen.
  Ending ending = Ending::pending;
  std::string error;  ///< etcd's text, if refused or unknown.
  Response response;  ///< If done.
};

/// Whether nothing can have changed when this error came back (contract 1.3).
bool is_refusal(std::string_view error);
/// Whether it may change keys by itself. What goes with a lease is the lease's doing, and nobody's reply tells of it.
bool is_write(const Request& request);
bool is_about_leases(const Request& request);
/// Whether it is about members, and no revision says where it stands among the others.
bool is_about_members(const Request& request);
/// The lease that a put, or a put of a transaction, hangs its key on; 0 for none. The workload lets a transaction name
/// one lease at most.
std::int64_t attached_lease(const Request& request);
/// The keys of puts that keep what is there, those of all branches of a transaction.
std::vector<std::string> kept_keys(const Request& request);
/// Whether its member may answer from its own state, however old: a serializable read, a list of leases and, as in
/// etcd, a transaction without operations (contract 1.7, 5.3).
bool may_be_stale(const Request& request);

std::string describe(const Request& request);
std::string describe(const Response& response);
std::string describe(const Operation& operation);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_OPERATION_H_

// What clients are told, before it is bytes: records of the store by reference, revisions, counts. Encoding is one pass
// for the sizes and one copy, since records are kept as the messages that replies contain.
#ifndef METASTORE_CORE_KV_RESPONSE_H_
#define METASTORE_CORE_KV_RESPONSE_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/kv/alarms.h"
#include "core/kv/wire.h"
#include "core/mvcc/record.h"

namespace metastore::kv {

/// Who answers. In the replies inside a txn's reply it is nobody: there the header carries the revision alone.
struct Header {
  ClusterId cluster;
  MemberId member;
  Term term;
  bool operator==(const Header&) const = default;
};

/// What the header takes as field 1 of a response, and the writing of it.
std::size_t header_field_size(const Header& header, Revision revision);
void write_header_field(WireWriter& out, const Header& header, Revision revision);

/// Which part of a record a reply shows.
enum class Shown : std::uint8_t { all, all_but_value, all_but_value_and_lease };

/// What a record takes as `field` of a response, and the writing of it.
std::size_t record_field_size(std::uint32_t field, mvcc::Record record, Shown shown);
void write_record_field(WireWriter& out, std::uint32_t field, mvcc::Record record, Shown shown);

struct RangeResponse {
  Revision revision;
  std::vector<mvcc::Record> records;
  Shown shown = Shown::all;
  bool more = false;
  std::uint64_t count = 0;
};

struct PutResponse {
  Revision revision;
  mvcc::Record previous;  ///< None unless it was asked for and there was one.
};

struct DeleteRangeResponse {
  Revision revision;
  std::uint64_t deleted = 0;
  std::vector<mvcc::Record> previous;  ///< Empty unless asked for.
};

struct OperationResponse;

struct TxnResponse {
  Revision revision;  ///< 0 in a nested one.
  bool succeeded = false;
  std::vector<OperationResponse> responses;
};

struct OperationResponse {
  std::variant<std::monostate, RangeResponse, PutResponse, DeleteRangeResponse, TxnResponse> response;
};

struct CompactionResponse {
  Revision revision;
};

struct LeaseGrantResponse {
  Revision revision;
  LeaseId id;
  std::int64_t ttl_seconds = 0;
};

struct LeaseRevokeResponse {
  Revision revision;
  std::uint64_t deleted = 0;  ///< Keys that went with it. The client is not told.
};

struct LeaseKeepAliveResponse {
  Revision revision;
  LeaseId id;
  std::int64_t ttl_seconds = 0;  ///< 0: there is no such lease.
};

struct LeaseTimeToLiveResponse {
  Revision revision;
  LeaseId id;
  std::int64_t remaining_seconds = 0;  ///< -1: there is no such lease.
  std::int64_t granted_seconds = 0;
  std::vector<std::string> keys;
};

struct LeaseLeasesResponse {
  Revision revision;
  std::vector<LeaseId> leases;
};

struct AlarmResponse {
  Revision revision;
  std::vector<Alarm> alarms;  ///< Those that were asked for, raised or cleared.
};

/// The response's protobuf message.   Requires: its records are still in the store.
Bytes encode(const Header& header, const RangeResponse& response);
Bytes encode(const Header& header, const PutResponse& response);
Bytes encode(const Header& header, const DeleteRangeResponse& response);
Bytes encode(const Header& header, const TxnResponse& response);
Bytes encode(const Header& header, const CompactionResponse& response);
Bytes encode(const Header& header, const LeaseGrantResponse& response);
Bytes encode(const Header& header, const LeaseRevokeResponse& response);
Bytes encode(const Header& header, const LeaseKeepAliveResponse& response);
/// What asks for that response.
Bytes encode_keep_alive(LeaseId lease);
/// A response that another member made, as this one's.
Bytes with_member(BytesView response, MemberId member);
Bytes encode(const Header& header, const LeaseTimeToLiveResponse& response);
Bytes encode(const Header& header, const LeaseLeasesResponse& response);
Bytes encode(const Header& header, const AlarmResponse& response);

}  // namespace metastore::kv

#endif  // METASTORE_CORE_KV_RESPONSE_H_

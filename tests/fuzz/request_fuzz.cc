// One request of a client: a byte that names the method, then the protobuf message. Google's parser is the judge of
// what can be read.
#include <cstdint>
#include <memory>

#include "core/kv/command.h"
#include "core/kv/request.h"
#include "core/proto/raft_internal.pb.h"
#include "core/proto/rpc.pb.h"
#include "tests/fuzz/property.h"

namespace metastore::kv {
namespace {

constexpr Method methods[] = {Method::range,   Method::put,    Method::delete_range, Method::txn,
                              Method::compact, Method::status, Method::alarm,        Method::member_list};

std::unique_ptr<google::protobuf::Message> message_of(Method method) {
  namespace pb = etcdserverpb;
  switch (method) {
    case Method::range:
      return std::make_unique<pb::RangeRequest>();
    case Method::put:
      return std::make_unique<pb::PutRequest>();
    case Method::delete_range:
      return std::make_unique<pb::DeleteRangeRequest>();
    case Method::txn:
      return std::make_unique<pb::TxnRequest>();
    case Method::compact:
      return std::make_unique<pb::CompactionRequest>();
    case Method::status:
      return std::make_unique<pb::StatusRequest>();
    case Method::alarm:
      return std::make_unique<pb::AlarmRequest>();
    default:
      return std::make_unique<pb::MemberListRequest>();
  }
}

void check(Method method, BytesView bytes) {
  const std::unique_ptr<google::protobuf::Message> parsed = message_of(method);
  const bool is_readable = parsed->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  const auto request = decode(method, Bytes::copy_of(bytes), Limits{});
  const bool was_read = request.ok() || request.error() != ErrorCode::undecodable;
  PROPERTY(is_readable || !was_read);
  if (!is_readable) return;
  // We refuse groups and a varint that is too long, both of which nobody sends; everything else we read as they do.
  parsed->DiscardUnknownFields();
  const auto again = decode(method, Bytes::copy_of(parsed->SerializeAsString()), Limits{});
  PROPERTY(again.ok() || again.error() != ErrorCode::undecodable);
  if (!was_read) return;
  PROPERTY(again.ok() == request.ok());
  if (!request.ok()) {
    PROPERTY(again.error() == request.error());
    return;
  }
  PROPERTY(again.value().consistency() == request.value().consistency());
  PROPERTY(again.value().body().index() == request.value().body().index());

  if (request.value().consistency() != Consistency::proposed) return;
  const std::uint64_t id = (std::uint64_t{1} << 63) | 1;
  const Bytes command = encode_command(id, method, bytes);
  PROPERTY(command.size() == command_size(method, bytes.size()));
  const auto decoded = kv::decode_command(command.view());
  PROPERTY(decoded.has_value());
  PROPERTY(decoded->id == id);
  etcdserverpb::InternalRaftRequest theirs;
  PROPERTY(theirs.ParseFromArray(command.data(), static_cast<int>(command.size())));
  PROPERTY(theirs.header().id() == id);
}

}  // namespace
}  // namespace metastore::kv

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  using namespace metastore;
  kv::check(kv::methods[data[0] % std::size(kv::methods)], fuzz::view(data + 1, size - 1));
  return 0;
}

// One request of a client: a byte that names the method, then the protobuf message. Google's parser is the judge of
// what can be read.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/kv/command.h"
#include "core/kv/request.h"
#include "core/proto/raft_internal.pb.h"
#include "core/proto/rpc.pb.h"
#include "core/watch/request.h"
#include "tests/fuzz/property.h"

namespace metastore {
namespace {

using kv::Method;

/// By the first byte of an input; behind them comes WatchRequest. The corpus knows their order.
constexpr Method methods[] = {Method::range,        Method::put,
                              Method::delete_range, Method::txn,
                              Method::compact,      Method::status,
                              Method::alarm,        Method::member_list,
                              Method::range_stream, Method::lease_grant,
                              Method::lease_revoke, Method::lease_time_to_live,
                              Method::lease_leases, Method::lease_keep_alive};

using Message = std::unique_ptr<google::protobuf::Message>;

Message message_of(Method method) {
  std::string name(kv::path(method).substr(1));
  name[name.find('/')] = '.';
  const auto* rpc = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  return Message(google::protobuf::MessageFactory::generated_factory()->GetPrototype(rpc->input_type())->New());
}

std::string known_fields(google::protobuf::Message& message) {
  message.DiscardUnknownFields();
  return message.SerializeAsString();
}

/// What the entry of the log holds beside its header.
Message request_in(etcdserverpb::InternalRaftRequest& entry) {
  entry.clear_header();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  entry.GetReflection()->ListFields(entry, &fields);
  PROPERTY(fields.size() == 1);
  return Message(entry.GetReflection()->ReleaseMessage(&entry, fields.front()));
}

void check(Method method, BytesView bytes) {
  const Message parsed = message_of(method);
  const bool is_readable = parsed->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  const auto request = decode(method, Bytes::copy_of(bytes), Limits{});
  const bool was_read = request.ok() || request.error() != ErrorCode::undecodable;
  PROPERTY(is_readable || !was_read);
  if (!is_readable) return;
  // We refuse groups and a varint that is too long, both of which nobody sends; everything else we read as they do.
  const auto again = decode(method, Bytes::copy_of(known_fields(*parsed)), Limits{});
  PROPERTY(again.ok() || again.error() != ErrorCode::undecodable);
  if (!was_read) return;
  PROPERTY(again.ok() == request.ok());
  if (!request.ok()) {
    PROPERTY(again.error() == request.error());
    return;
  }
  PROPERTY(again.value().consistency() == request.value().consistency());
  PROPERTY(again.value().body().index() == request.value().body().index());

  if (request.value().consistency() != kv::Consistency::proposed) return;
  const std::uint64_t id = (std::uint64_t{1} << 63) | 1;
  const Bytes command = encode_command(id, method, bytes);
  PROPERTY(command.size() == command_size(method, bytes.size()));
  const auto decoded = kv::decode_command(command.view());
  PROPERTY(decoded.has_value());
  PROPERTY(decoded->id == id);
  etcdserverpb::InternalRaftRequest theirs;
  PROPERTY(theirs.ParseFromArray(command.data(), static_cast<int>(command.size())));
  PROPERTY(theirs.header().id() == id);
  PROPERTY(known_fields(*request_in(theirs)) == known_fields(*parsed));
}

void check_watch(BytesView bytes) {
  etcdserverpb::WatchRequest parsed;
  const bool is_readable = parsed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  const auto request = watch::decode(bytes);
  PROPERTY(is_readable || !request.has_value());
  if (!is_readable) return;
  const auto again = watch::decode(known_fields(parsed));
  PROPERTY(again.has_value());
  if (!request.has_value()) return;
  PROPERTY(*request == *again);
  PROPERTY(std::holds_alternative<watch::ProgressRequest>(*request) == parsed.has_progress_request());
  if (const auto* cancel = std::get_if<watch::CancelRequest>(&*request)) {
    PROPERTY(cancel->watch_id == parsed.cancel_request().watch_id());
  }
  const auto* create = std::get_if<watch::CreateRequest>(&*request);
  PROPERTY((create != nullptr) == parsed.has_create_request());
  if (create == nullptr) return;
  const etcdserverpb::WatchCreateRequest& theirs = parsed.create_request();
  PROPERTY(create->key == theirs.key());
  PROPERTY(create->range_end == theirs.range_end());
  PROPERTY(create->start_revision == theirs.start_revision());
  PROPERTY(create->watch_id == theirs.watch_id());
  PROPERTY(create->progress_notify == theirs.progress_notify());
  PROPERTY(create->prev_kv == theirs.prev_kv());
  PROPERTY(create->fragment == theirs.fragment());
  const auto filters = [&](etcdserverpb::WatchCreateRequest::FilterType filter) {
    return std::find(theirs.filters().begin(), theirs.filters().end(), filter) != theirs.filters().end();
  };
  PROPERTY(create->no_put == filters(etcdserverpb::WatchCreateRequest::NOPUT));
  PROPERTY(create->no_delete == filters(etcdserverpb::WatchCreateRequest::NODELETE));
}

}  // namespace
}  // namespace metastore

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  using namespace metastore;
  const std::size_t drawn = data[0] % (std::size(methods) + 1);
  const BytesView message = fuzz::view(data + 1, size - 1);
  if (drawn < std::size(methods)) {
    check(methods[drawn], message);
  } else {
    check_watch(message);
  }
  return 0;
}

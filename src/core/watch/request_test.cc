#include "core/watch/request.h"

#include <doctest/doctest.h>

#include <string>

#include "core/proto/rpc.pb.h"

namespace metastore::watch {
namespace {

std::string create_of(const std::string& key, std::int64_t start) {
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key(key);
  request.mutable_create_request()->set_start_revision(start);
  return request.SerializeAsString();
}

TEST_CASE("a union that names the same member twice has it merged, as protobuf says") {
  const std::string bytes = create_of("a", 7) + create_of("b", 0);
  const auto request = decode(bytes);
  REQUIRE(request.has_value());
  CHECK(std::get<CreateRequest>(*request).key == "b");
  CHECK(std::get<CreateRequest>(*request).start_revision == 7);
}

TEST_CASE("of several members of the union the last counts") {
  const std::string bytes = create_of("a", 7) + std::string("\x12\x02\x08\x05", 4);
  const auto request = decode(bytes);
  REQUIRE(request.has_value());
  CHECK(std::get<CancelRequest>(*request).watch_id == 5);
}

TEST_CASE("damage within any member is damage") {
  for (const char member : {'\x0a', '\x12', '\x1a'}) {
    CHECK(decode(std::string{member, '\x00'}).has_value());
    CHECK_FALSE(decode(std::string{member, '\x01', '\x08'}).has_value());
  }
}

}  // namespace
}  // namespace metastore::watch

#include "core/kv/origin.h"

#include <doctest/doctest.h>

#include <string>

#include "core/kv/command.h"

namespace metastore::kv {
namespace {

const Origin origin{MemberId(0xffff'ffff'ffff'ffff), 3, 1'000'000};

Bytes put() { return encode_command(std::uint64_t{1} << 63, Method::put, "\12\1k\22\1v"); }

TEST_CASE("a command keeps its meaning and tells its origin") {
  const Bytes entry = with_origin(put().view(), origin);
  CHECK(origin_of(entry.view()) == origin);
  const std::optional<Command> command = decode_command(entry.view());
  REQUIRE(command.has_value());
  CHECK(command->id == std::uint64_t{1} << 63);
  REQUIRE(std::holds_alternative<PutRequest>(command->body));
  CHECK(std::get<PutRequest>(command->body).value == "v");
}

TEST_CASE("what a leader proposed itself, or what cannot be read, has no origin") {
  CHECK_FALSE(origin_of(put().view()).has_value());
  CHECK_FALSE(origin_of("").has_value());
  const Bytes entry = with_origin(put().view(), origin);
  CHECK_FALSE(origin_of(entry.view().substr(0, entry.size() - 1)).has_value());
}

}  // namespace
}  // namespace metastore::kv

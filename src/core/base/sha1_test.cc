#include "core/base/sha1.h"

#include <doctest/doctest.h>

#include <string>

namespace metastore {
namespace {

TEST_CASE("the standard's examples give its digests") {
  CHECK(sha1_prefix("abc") == 0xa9993e364706816a);
  CHECK(sha1_prefix("") == 0xda39a3ee5e6b4b0d);
  CHECK(sha1_prefix("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") == 0x84983e441c3bd26e);
  CHECK(sha1_prefix(std::string(1'000'000, 'a')) == 0x34aa973cd4c4daa4);
}

}  // namespace
}  // namespace metastore

#include <doctest/doctest.h>

#include <string>

#include "core/raft/raft.h"

namespace metastore::raft {
namespace {

const Entry proposal{Term(2), LogIndex(7), EntryType::normal, Bytes::copy_of("kv")};

TEST_CASE("descriptions are short and name members as etcd does") {
  CHECK(describe(MemberId(0x8e9e05c52164694d)) == "8e9e05c52164694d");
  CHECK(describe(MemberId(0)) == "0");
  CHECK(describe(proposal) == "7^2 of 2 bytes");
  CHECK(describe(LogWrite{LogWriteId(4), HardState{Term(1), MemberId(10), LogIndex(3)}, {proposal}}) ==
        "#4 term=1 vote=a commit=3 append 7^2");
  CHECK(describe(Envelope{MemberId(1), MemberId(2), VoteRequest{Term(3), LogIndex(4), Term(2), false, true}}) ==
        "1 > 2 vote? term=3 last=4^2 transfer");
}

}  // namespace
}  // namespace metastore::raft

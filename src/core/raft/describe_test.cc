#include <doctest/doctest.h>

#include <string>

#include "core/raft/raft.h"

namespace metastore::raft {
namespace {

template <typename T>
std::string encoded(const T& value) {
  std::string out;
  Encoder encoder(out);
  encode(encoder, value);
  return out;
}

const Entry put{Term(2), LogIndex(7), EntryType::normal, Bytes::copy_of("kv")};

TEST_CASE("the canonical encodings are these bytes") {
  CHECK(encoded(put) == std::string("\x02\x07\x00\x02kv", 6));
  CHECK(encoded(HardState{Term(1), MemberId(200), LogIndex(3)}) == "\x01\xc8\x01\x03");
  CHECK(encoded(ConfState{{MemberId(1), MemberId(2)}, {MemberId(3)}, {}, {}, true}) ==
        std::string("\x02\x01\x02\x01\x03\x00\x00\x01", 8));
  CHECK(encoded(LogWrite{LogWriteId(4), HardState{Term(1), MemberId(2), LogIndex(3)}, {put}}) ==
        std::string("\x04\x01\x01\x02\x03\x01\x02\x07\x00\x02kv\x00\x00", 14));
  CHECK(encoded(LogWrite{LogWriteId(4), std::nullopt, {}}) == std::string("\x04\x00\x00\x00\x00", 5));
  CHECK(encoded(Envelope{MemberId(1), MemberId(2), VoteRequest{Term(3), LogIndex(4), Term(2), true, false}}) ==
        std::string("\x01\x02\x00\x03\x04\x02\x01\x00", 8));
  CHECK(encoded(Envelope{MemberId(1), MemberId(2), VoteReply{Term(3), Term(4), true, false}}) ==
        std::string("\x01\x02\x01\x03\x04\x01\x00", 7));
  CHECK(encoded(
            Envelope{MemberId(1), MemberId(2), AppendRequest{Term(3), LogIndex(6), Term(2), {put}, LogIndex(5), 9}}) ==
        std::string("\x01\x02\x02\x03\x06\x02\x01\x02\x07\x00\x02kv\x05\x09", 15));
  CHECK(encoded(Envelope{MemberId(1), MemberId(2),
                         AppendReply{Term(3), true, LogIndex(7), LogIndex(0), LogIndex(0), Term(0), 9}}) ==
        std::string("\x01\x02\x03\x03\x01\x07\x00\x00\x00\x09", 10));
}

TEST_CASE("descriptions are short and name members as etcd does") {
  CHECK(describe(MemberId(0x8e9e05c52164694d)) == "8e9e05c52164694d");
  CHECK(describe(MemberId(0)) == "0");
  CHECK(describe(put) == "7^2 of 2 bytes");
  CHECK(describe(LogWrite{LogWriteId(4), HardState{Term(1), MemberId(10), LogIndex(3)}, {put}}) ==
        "#4 term=1 vote=a commit=3 append 7^2");
  CHECK(describe(Envelope{MemberId(1), MemberId(2), VoteRequest{Term(3), LogIndex(4), Term(2), false, true}}) ==
        "1 > 2 vote? term=3 last=4^2 transfer");
}

}  // namespace
}  // namespace metastore::raft

#include "net/peer_frame.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "net/peer_address.h"
#include "net/peer_codec.h"

namespace metastore::net {
namespace {

using Read = std::vector<std::pair<FrameKind, std::string>>;

/// All frames of `bytes`, given in pieces of up to `piece_max`; the fault, if one ends them.
Read read(BytesView bytes, std::uint64_t seed, std::uint64_t piece_max, std::optional<FrameFault>& fault,
          FrameBudget& budget, std::uint64_t payload_bytes_max = 1 << 20) {
  FrameReader reader(budget, payload_bytes_max);
  Prng prng(seed, "pieces");
  Read frames;
  while (!bytes.empty()) {
    BytesView piece = bytes.substr(0, 1 + prng.below(piece_max));
    bytes.remove_prefix(piece.size());
    for (;;) {
      const auto frame = reader.next(piece);
      if (!frame) {
        fault = frame.error();
        return frames;
      }
      if (!frame.value().has_value()) break;
      frames.emplace_back(frame.value()->kind, frame.value()->payload);
    }
    if (!piece.empty()) FAIL("bytes were left");
  }
  return frames;
}

TEST_CASE("any chunking of the same bytes gives the same frames, and nothing stays reserved") {
  Prng prng(1, "frames");
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Read written;
    std::string bytes;
    for (std::uint64_t left = 1 + prng.below(8); left > 0; --left) {
      const auto kind = static_cast<FrameKind>(1 + prng.below(6));
      const std::string payload(prng.below(prng.chance(1, 4) ? 200'000 : 40), static_cast<char>(prng.below(256)));
      written.emplace_back(kind, payload);
      append_frame(bytes, kind, payload);
    }
    FrameBudget budget{1 << 20, 0};
    std::optional<FrameFault> fault;
    for (const std::uint64_t piece_max : {std::uint64_t{7}, std::uint64_t{4'000}, std::uint64_t{bytes.size()}}) {
      CHECK(read(bytes, seed, piece_max, fault, budget) == written);
      CHECK(!fault.has_value());
      CHECK(budget.held_bytes == 0);
    }
  }
}

TEST_CASE("every flipped bit is a fault, and nothing comes of its frame") {
  std::string bytes;
  append_frame(bytes, FrameKind::message, "some words");
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    FrameBudget budget{1 << 20, 0};
    std::optional<FrameFault> fault;
    CHECK(read(flipped, bit, 5, fault, budget, 1'000).empty());
    // A length that grew within what is allowed waits for more.
    CHECK((fault.has_value() || bit < 32));
  }
}

TEST_CASE("a length beyond what is allowed is refused by its header, and so is what all together may not hold") {
  FrameBudget budget{1'000, 0};
  std::optional<FrameFault> fault;
  std::string longer;
  append_frame(longer, FrameKind::message, std::string(101, 'x'));
  CHECK(read(longer.substr(0, frame_header_bytes), 1, 100, fault, budget, 100).empty());
  CHECK(fault == FrameFault::too_long);

  FrameReader first(budget, 1'000), second(budget, 1'000);
  std::string large;
  append_frame(large, FrameKind::message, std::string(600, 'x'));
  BytesView beginning = BytesView(large).substr(0, 20);
  CHECK(first.next(beginning).ok());
  CHECK(first.is_within_frame());
  CHECK(budget.held_bytes == 616);
  beginning = BytesView(large).substr(0, 20);
  const auto refused = second.next(beginning);
  REQUIRE(!refused.ok());
  CHECK(refused.error() == FrameFault::no_room);
  BytesView rest = BytesView(large).substr(20);
  const auto whole = first.next(rest);
  REQUIRE(whole.ok());
  CHECK(whole.value()->payload.size() == 600);
  CHECK(!first.is_within_frame());
  CHECK(!first.next(rest).value().has_value());
  CHECK(budget.held_bytes == 0);
}

TEST_CASE("greetings come back as they were; a part of one, or more than one, gives nothing") {
  const PeerIdentity identity{MemberId(0x8e9e05c52164694d), ClusterId(0xcdf818194e3a8c32), ~std::uint64_t{0}, 3};
  const Hello hello{identity, MemberId(7), Lane::bulk};
  const Refusal refusal{RefusalReason::other_data, "it was wiped"};
  CHECK(decode_hello(encode(hello)) == hello);
  CHECK(decode_welcome(encode(Welcome{identity})) == Welcome{identity});
  CHECK(decode_refusal(encode(refusal)) == refusal);
  for (std::size_t size = 0; size < encode(hello).size(); ++size) {
    CHECK(!decode_hello(BytesView(encode(hello)).substr(0, size)).has_value());
  }
  CHECK(!decode_hello(encode(hello) + "x").has_value());
  CHECK(!decode_hello(encode(Welcome{identity})).has_value());
  CHECK(!decode_welcome("GET / HTTP/1.1").has_value());
  CHECK(encode(hello).size() < greeting_bytes_max);
  CHECK(encode(Refusal{RefusalReason::damaged, std::string(5'000, 'x')}).size() < greeting_bytes_max);
}

TEST_CASE("a refusal from outside reaches the log as one printable line") {
  CHECK(decode_refusal(encode(Refusal{RefusalReason::damaged, "two\nlines\x1b[2J\xff"}))->sentence == "two?lines?[2J?");
  CHECK(!decode_refusal(std::string("\x08\x00", 2)).has_value());
}

TEST_CASE("peer URLs are plain TCP with a port") {
  CHECK(parse_peer_url("http://127.0.0.1:2380") == PeerAddress{"127.0.0.1", 2380});
  CHECK(parse_peer_url("http://[::1]:2380") == PeerAddress{"::1", 2380});
  CHECK(parse_peer_url("http://etcd-0.etcd:2380") == PeerAddress{"etcd-0.etcd", 2380});
  for (const char* other : {"https://a:1", "http://a", "http://:1", "http://a:", "http://a:0", "http://a:65536",
                            "http://a:1/", "http://a:-1", "a:1", ""}) {
    CHECK(!parse_peer_url(other).has_value());
  }
}

}  // namespace
}  // namespace metastore::net

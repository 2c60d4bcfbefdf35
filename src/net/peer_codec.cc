#include "net/peer_codec.h"

#include <algorithm>

#include "core/base/encoder.h"

namespace metastore::net {
namespace {

/// A change that old members cannot understand changes this; there is no negotiation yet.
constexpr std::string_view protocol = "metastore-peer-1";
constexpr std::size_t sentence_bytes_max = 800;

void encode(Encoder& out, const PeerIdentity& identity) {
  out.tagged(identity.member);
  out.tagged(identity.cluster);
  out.u64(identity.data_id);
  out.u64(identity.incarnation);
}

PeerIdentity decode_identity(Decoder& in) {
  PeerIdentity identity;
  identity.member = in.tagged<MemberId>();
  identity.cluster = in.tagged<ClusterId>();
  identity.data_id = in.u64();
  identity.incarnation = in.u64();
  return identity;
}

std::string printable(BytesView bytes) {
  std::string text(bytes);
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

template <typename T>
std::optional<T> whole(const Decoder& in, T value) {
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return value;
}

}  // namespace

std::string encode(const Hello& hello) {
  std::string bytes;
  Encoder out(bytes);
  out.bytes(protocol);
  encode(out, hello.from);
  out.tagged(hello.to);
  out.u64(static_cast<std::uint64_t>(hello.lane));
  return bytes;
}

std::string encode(const Welcome& welcome) {
  std::string bytes;
  Encoder out(bytes);
  out.bytes(protocol);
  encode(out, welcome.from);
  return bytes;
}

std::string encode(const Refusal& refusal) {
  std::string bytes;
  Encoder out(bytes);
  out.u64(static_cast<std::uint64_t>(refusal.reason));
  out.bytes(BytesView(refusal.sentence).substr(0, sentence_bytes_max));
  return bytes;
}

std::string encode_inquiry() {
  std::string bytes;
  Encoder(bytes).bytes(protocol);
  return bytes;
}

std::string encode(const Roster& roster) {
  std::string bytes;
  Encoder out(bytes);
  out.bytes(protocol);
  encode(out, roster.from);
  for (const Peer& peer : roster.peers) {
    if (peer.is_removed) continue;
    out.tagged(peer.id);
    out.u64(peer.data_id);
    out.u64(peer.urls.size());
    for (const std::string& url : peer.urls) out.bytes(url);
  }
  return bytes;
}

std::optional<Hello> decode_hello(BytesView bytes) {
  Decoder in(bytes);
  if (in.bytes() != protocol) return std::nullopt;
  Hello hello;
  hello.from = decode_identity(in);
  hello.to = in.tagged<MemberId>();
  hello.lane = in.boolean() ? Lane::bulk : Lane::urgent;
  return whole(in, hello);
}

std::optional<Welcome> decode_welcome(BytesView bytes) {
  Decoder in(bytes);
  if (in.bytes() != protocol) return std::nullopt;
  return whole(in, Welcome{decode_identity(in)});
}

bool is_inquiry(BytesView bytes) {
  Decoder in(bytes);
  return in.bytes() == protocol && in.ok() && in.at_end();
}

std::optional<Roster> decode_roster(BytesView bytes) {
  Decoder in(bytes);
  if (in.bytes() != protocol) return std::nullopt;
  Roster roster{decode_identity(in), {}};
  while (in.ok() && !in.at_end()) {
    Peer peer{.id = in.tagged<MemberId>(), .urls = {}};
    peer.data_id = in.u64();
    for (std::uint64_t urls = in.u64(); urls > 0 && in.ok(); --urls) peer.urls.push_back(printable(in.bytes()));
    roster.peers.push_back(std::move(peer));
  }
  return whole(in, std::move(roster));
}

std::optional<Refusal> decode_refusal(BytesView bytes) {
  Decoder in(bytes);
  const std::uint64_t reason = in.u64();
  if (reason >= refusal_reasons) return std::nullopt;
  return whole(in, Refusal{static_cast<RefusalReason>(reason), printable(in.bytes().substr(0, sentence_bytes_max))});
}

}  // namespace metastore::net

#include "net/peer_link.h"

#include <algorithm>
#include <utility>

namespace metastore::net {
namespace {

/// How long the known ones may take to tell of an unknown one, and how often they are asked.
constexpr Duration inquiry_time = Duration::seconds(1);

bool is_ordered(const raft::Envelope& message) {
  if (const auto* append = std::get_if<raft::AppendRequest>(&message.message)) return !append->entries.empty();
  return std::holds_alternative<raft::ProposalForward>(message.message);
}

}  // namespace

PeerLink::PeerLink(const PeerIdentity& self, const Limits& limits, std::uint64_t seed, const PeerPorts& ports)
    : around_{ports, limits, self, {limits.peer_receive_bytes_max, 0}, {}, this},
      door_(around_),
      prng_(seed, "peers") {}

PeerLink::~PeerLink() { around_.ports.loop.cancel(*this); }

void PeerLink::send(std::vector<raft::Envelope> messages) {
  for (raft::Envelope& message : messages) {
    const auto found = peers_.find(message.to);
    if (found == peers_.end()) {
      ++around_.counts.messages_dropped;
      continue;
    }
    Channels& channels = *found->second;
    // Entries must not overtake each other, or the peer refuses them: while something large is on its way, what
    // belongs behind it goes there too.
    const bool is_bulk = size_bytes(message) > around_.limits.peer_bulk_bytes ||
                         std::holds_alternative<raft::SnapshotPart>(message.message) ||
                         (is_ordered(message) && !channels.bulk.is_settled());
    (is_bulk ? channels.bulk : channels.urgent).queue(std::move(message));
  }
  for (const auto& [id, channels] : peers_) {
    channels->urgent.flush();
    channels->bulk.flush();
  }
}

void PeerLink::set_peers(std::vector<Peer> peers) {
  told_ = std::move(peers);
  connect();
}

void PeerLink::run() {
  const Instant now = around_.ports.loop.now();
  if (inquiry_ != nullptr) {
    if (!inquiry_->has_ended()) return;
    const std::optional<Roster> roster = inquiry_->roster();
    inquiry_.reset();
    if (!roster || roster->from.cluster != around_.self.cluster) return;
    acquaintances_ = roster->peers;
    std::erase_if(acquaintances_, [this](const Peer& peer) { return peer.id == around_.self.member; });
    return connect();
  }
  if (now < asks_again_at_) return;
  asks_again_at_ = now + inquiry_time;
  PeerInquiry::Subject subject{.urls = {}, .wanted = {}, .patience = inquiry_time, .asks_again = false};
  for (const Peer& peer : told_) subject.urls.insert(subject.urls.end(), peer.urls.begin(), peer.urls.end());
  port::Task& ended = *this;
  inquiry_ = std::make_unique<PeerInquiry>(around_.ports.loop, around_.ports.network, std::move(subject), ended);
}

void PeerLink::connect() {
  std::vector<Peer> peers = told_;
  for (const Peer& peer : acquaintances_) {
    const bool is_told =
        std::any_of(told_.begin(), told_.end(), [&](const Peer& other) { return other.id == peer.id; });
    if (!is_told) peers.push_back(peer);
  }
  door_.set_peers(peers);
  std::map<MemberId, std::unique_ptr<Channels>> next;
  for (Peer& peer : peers) {
    if (peer.is_removed) continue;
    const auto found = peers_.find(peer.id);
    std::unique_ptr<Channels> channels;
    if (found != peers_.end() && found->second->peer.urls == peer.urls) {
      channels = std::move(found->second);
      channels->urgent.set_data_id(peer.data_id);
      channels->bulk.set_data_id(peer.data_id);
    } else {
      channels.reset(new Channels{peer,
                                  {around_, peer, Lane::urgent, Prng(prng_.next(), "urgent")},
                                  {around_, peer, Lane::bulk, Prng(prng_.next(), "bulk")}});
    }
    next.insert_or_assign(peer.id, std::move(channels));
  }
  peers_ = std::move(next);
}

std::vector<PeerQueue> PeerLink::queues() const {
  std::vector<PeerQueue> all;
  for (const auto& [id, channels] : peers_) {
    all.push_back(channels->urgent.waiting());
    all.push_back(channels->bulk.waiting());
  }
  return all;
}

bool PeerLink::is_connected(MemberId peer) const {
  const auto found = peers_.find(peer);
  return found != peers_.end() && found->second->urgent.is_connected();
}

}  // namespace metastore::net

#include "net/peer_door.h"

#include <algorithm>

#include "core/base/trace.h"
#include "net/peer_visitor.h"

namespace metastore::net {
namespace {

constexpr Duration between_lines = Duration::seconds(60);

std::string hexadecimal(ClusterId id) { return raft::describe(MemberId(id.value())); }

}  // namespace

std::optional<std::uint64_t> RefusalLog::tell(Instant now, MemberId from, bool is_member, RefusalReason reason) {
  if (told_.contains({from, reason})) return std::nullopt;
  if (!is_member && now < next_) {
    ++untold_;
    return std::nullopt;
  }
  // Names can be invented, so that forgetting some is better than remembering all.
  if (told_.size() >= remembered_max) told_.clear();
  if (from != MemberId()) told_.insert({from, reason});
  if (is_member) return 0;
  next_ = now + between_lines;
  return std::exchange(untold_, 0);
}

void RefusalLog::forget(MemberId from) {
  std::erase_if(told_, [from](const auto& told) { return told.first == from; });
}

PeerDoor::PeerDoor(PeerSurroundings& around) : around_(around) {}

PeerDoor::~PeerDoor() { around_.ports.loop.cancel(*this); }

void PeerDoor::on_accepted(std::unique_ptr<port::Connection> connection) {
  const auto strangers = static_cast<std::uint64_t>(
      std::count_if(visitors_.begin(), visitors_.end(), [](const auto& visitor) { return !visitor->is_admitted(); }));
  if (strangers >= around_.limits.peer_strangers_max) {
    return on_refused(MemberId(), connection->remote_address(),
                      {RefusalReason::not_a_peer, "too many connections that do not say who they are"});
  }
  visitors_.push_back(std::make_unique<Visitor>(*this, std::move(connection)));
}

void PeerDoor::set_peers(const std::vector<Peer>& peers) {
  peers_.clear();
  for (const Peer& peer : peers) peers_.insert_or_assign(peer.id, peer);
  std::erase_if(incarnations_, [this](const auto& known) { return !peers_.contains(known.first); });
  for (const auto& visitor : visitors_) {
    if (!visitor->is_admitted()) continue;
    if (const auto refusal = judge(visitor->hello())) visitor->refuse(*refusal);
  }
}

std::optional<Refusal> PeerDoor::judge(const Hello& hello) const {
  const PeerIdentity& self = around_.self;
  const std::string caller = "member " + raft::describe(hello.from.member);
  if (hello.from.cluster != self.cluster) {
    return Refusal{RefusalReason::wrong_cluster, caller + " is of cluster " + hexadecimal(hello.from.cluster) +
                                                     ", and this is cluster " + hexadecimal(self.cluster) +
                                                     "; correct its --initial-cluster or its --data-dir"};
  }
  if (hello.to != self.member) {
    return Refusal{RefusalReason::wrong_member, caller + " calls member " + raft::describe(hello.to) +
                                                    ", and this is " + raft::describe(self.member) +
                                                    "; correct the peer URLs of one of them"};
  }
  const auto peer = peers_.find(hello.from.member);
  if (peer == peers_.end()) {
    return Refusal{RefusalReason::unknown_member, caller + " is not in this cluster; add it with 'member add'"};
  }
  if (peer->second.is_removed) {
    return Refusal{
        RefusalReason::removed_member,
        caller + " has been removed for good; delete its data directory and " + "add it again as a new member"};
  }
  if (peer->second.data_id != 0 && hello.from.data_id != peer->second.data_id) {
    return Refusal{RefusalReason::other_data, caller + " runs on another data directory than the one it joined with; " +
                                                  "remove it and add it again"};
  }
  const auto known = incarnations_.find(hello.from.member);
  if (known != incarnations_.end() && hello.from.incarnation < known->second) {
    return Refusal{RefusalReason::old_incarnation, caller +
                                                       " has run later than this run of it; if its data directory " +
                                                       "is an old copy, remove it and add it again"};
  }
  return std::nullopt;
}

void PeerDoor::admit(Visitor& visitor, const Hello& hello) {
  for (const auto& other : visitors_) {
    if (other.get() == &visitor || !other->is_admitted() || other->hello().from.member != hello.from.member) continue;
    // The newest call is the one that counts; a new run of the member ends all of the former.
    if (other->hello().lane == hello.lane || other->hello().from.incarnation < hello.from.incarnation) other->end();
  }
  incarnations_[hello.from.member] = hello.from.incarnation;
  refusals_.forget(hello.from.member);
}

Roster PeerDoor::roster() const {
  Roster roster{around_.self, {}};
  for (const auto& [id, peer] : peers_) roster.peers.push_back(peer);
  return roster;
}

void PeerDoor::on_refused(MemberId from, std::string_view address, const Refusal& refusal) {
  // Who was let in and then talked nonsense would be let in again, and again.
  if (refusal.reason == RefusalReason::unknown_member && around_.unknown_called != nullptr) {
    around_.ports.loop.run_soon(*around_.unknown_called);
  }
  const bool is_nonsense = refusal.reason == RefusalReason::damaged || refusal.reason == RefusalReason::not_a_peer;
  if (is_nonsense) from = MemberId();
  const auto untold = refusals_.tell(around_.ports.loop.now(), from, peers_.contains(from), refusal.reason);
  if (!untold) return;
  TraceLine line{TraceLevel::warn, "rejected connection on peer endpoint", {{"remote-addr", std::string(address)}}};
  line.fields.push_back({"error", refusal.sentence});
  if (*untold > 0) line.fields.push_back({"more-like-it", *untold});
  around_.ports.trace.trace({std::move(line)});
}

void PeerDoor::run() {
  std::erase_if(visitors_, [](const auto& visitor) { return visitor->has_ended(); });
}

}  // namespace metastore::net

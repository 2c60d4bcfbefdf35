// All that this member has to do with the others: it calls each of them twice (peer_channel), and takes their calls
// (peer_door). It carries messages and decides nothing about them; what it hears goes to the inbox. Pure: over the same
// ports it runs on sockets and in the simulator.
#ifndef METASTORE_NET_PEER_LINK_H_
#define METASTORE_NET_PEER_LINK_H_

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/limits.h"
#include "core/host/port/executors.h"
#include "net/peer_channel.h"
#include "net/peer_codec.h"
#include "net/peer_door.h"
#include "net/peer_inquiry.h"

namespace metastore::net {

class PeerLink final : public port::PeerExecutor, private port::Task {
 public:
  /// `seed` is for the moments of calling again.
  PeerLink(const PeerIdentity& self, const Limits& limits, std::uint64_t seed, const PeerPorts& ports);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  /// Takes the connections of every listener on a peer URL. Before the first set_peers nobody is let in.
  port::Acceptor& door() { return door_; }
  void send(std::vector<raft::Envelope> messages) override;
  void set_peers(std::vector<Peer> peers) override;

  /// Whether what is urgent reaches `peer` now, as far as one can know.
  bool is_connected(MemberId peer) const;
  const PeerCounts& counts() const { return around_.counts; }
  /// For whoever looks on: what waits for all peers, on either way.
  std::vector<PeerQueue> queues() const;

 private:
  /// An unknown member has called: while this one was away it may have been added, and lead by now. So the known ones
  /// are asked who belongs to the cluster; or they have answered.
  void run() override;
  void connect();

  struct Channels {
    Peer peer;
    PeerChannel urgent;
    PeerChannel bulk;
  };

  PeerSurroundings around_;
  PeerDoor door_;
  Prng prng_;
  std::vector<Peer> told_;           ///< By the replica.
  std::vector<Peer> acquaintances_;  ///< By the known ones, while the replica has not heard of them.
  std::unique_ptr<PeerInquiry> inquiry_;
  Instant asks_again_at_ = Instant::from_nanoseconds(0);
  std::map<MemberId, std::unique_ptr<Channels>> peers_;
};

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_LINK_H_

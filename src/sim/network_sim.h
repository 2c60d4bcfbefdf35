// Byte streams in virtual time: what one side writes arrives at the other in order, late, in pieces of drawn sizes, or
// never because the connection was reset. Ways between machines are cut, in one direction or both: what is under way
// then waits, as TCP's retransmissions do. A process that dies says goodbye by its system; a machine without power says
// nothing until it is back. A crash is the destruction of one side's ports.
// It must never deliver a byte twice, out of order or changed: TCP does not, and HTTP/2 relies on it.
#ifndef METASTORE_SIM_NETWORK_SIM_H_
#define METASTORE_SIM_NETWORK_SIM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/network.h"
#include "sim/world.h"

namespace metastore::sim {

struct NetworkFaults {
  Duration delay_min;
  Duration delay_max;
  /// A write is chopped into pieces of 1 to this many bytes. 0: never chopped.
  std::uint64_t piece_bytes_max = 0;
  /// `reset_chance` of 1,000 connections are reset, at a moment drawn up to `reset_after_max` after their beginning.
  std::uint32_t reset_chance = 0;
  Duration reset_after_max;
  /// What may be under way to one side before the other's writes wait.
  std::uint64_t window_bytes = 65'536;
};

struct NetworkCounts {
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;
  std::uint64_t resets = 0;
  std::uint64_t pieces = 0;
  std::uint64_t held = 0;  ///< Times that something had to wait for a way that was cut.
};

/// A place in the network: 0 is where the clients are, the others are machines.
using Site = std::uint64_t;

class NetworkSim final : public port::Network {
 public:
  /// `between_machines` holds for connections that a machine asks for.
  NetworkSim(World& world, Prng prng, const NetworkFaults& faults, const NetworkFaults& between_machines = {});
  ~NetworkSim() override;
  NetworkSim(const NetworkSim&) = delete;
  NetworkSim& operator=(const NetworkSim&) = delete;

  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen(std::string_view host, int port,
                                                                     port::Acceptor& acceptor) override;
  /// All hosts are one machine. Told after the way there and back; a reset may come first.
  std::unique_ptr<port::ConnectAttempt> connect(std::string_view host, int port, port::Connector& connector) override;
  /// The near end of a new connection to `port`. If nobody listens there when it arrives, the user hears on_closed.
  std::unique_ptr<port::Connection> connect(int port);

  /// The network as a machine there has it. The clients' is this one itself.
  std::unique_ptr<port::Network> at(Site site);

  /// Nothing gets from one site to the other until that is mended.
  void cut(Site from, Site to) { cuts_.emplace(from, to); }
  void mend_all();
  /// The machine there has lost its power: what it had to say is not said.
  void darken(Site site) { dark_.insert(site); }
  /// It is back, and knows nothing of its former connections.
  void light(Site site);
  /// The process there does nothing until it goes on: what comes for it waits in its system, which greets whoever
  /// connects.
  void freeze(Site site) { frozen_.insert(site); }
  void thaw(Site site);
  /// Everything is mended, and new connections are not reset any more.
  void heal();

  const NetworkCounts& counts() const { return counts_; }
  const NetworkCounts& counts_between_machines() const { return counts_between_machines_; }

 private:
  class SiteNetwork;
  class ListenerSim;
  class ConnectionSim;
  class AttemptSim;
  class End;
  struct Link;
  struct Listening {
    port::Acceptor* acceptor = nullptr;
    bool is_accepting = false;
    std::vector<std::uint64_t> waiting;  ///< Links, until it accepts.
  };

  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen_at(Site site, int port, port::Acceptor& acceptor);
  std::unique_ptr<port::ConnectAttempt> connect_from(Site site, int port, port::Connector& connector);
  Link& begin_link(Site site, int port);
  bool is_open(Site from, Site to) const {
    return !cuts_.contains({from, to}) && !dark_.contains(from) && !dark_.contains(to);
  }
  void resume();
  void forget(std::uint64_t link);

  World& world_;
  Prng prng_;
  NetworkFaults faults_;
  NetworkFaults faults_between_machines_;
  NetworkCounts counts_;
  NetworkCounts counts_between_machines_;
  std::map<int, Listening> listening_;  ///< By port.
  std::map<int, Site> sites_;           ///< By port, of whoever listened there last.
  std::set<std::pair<Site, Site>> cuts_;
  std::set<Site> dark_;
  std::set<Site> frozen_;
  std::map<std::uint64_t, std::unique_ptr<Link>> links_;
  std::uint64_t next_link_ = 1;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_NETWORK_SIM_H_

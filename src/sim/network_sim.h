// Byte streams in virtual time: what one side writes arrives at the other in order, late, in pieces of drawn sizes, or
// never because the connection was reset. A crash is the destruction of one side's ports.
// It must never deliver a byte twice, out of order or changed: TCP does not, and HTTP/2 relies on it.
#ifndef METASTORE_SIM_NETWORK_SIM_H_
#define METASTORE_SIM_NETWORK_SIM_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
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
};

class NetworkSim final : public port::Network {
 public:
  NetworkSim(World& world, Prng prng, const NetworkFaults& faults);
  ~NetworkSim() override;
  NetworkSim(const NetworkSim&) = delete;
  NetworkSim& operator=(const NetworkSim&) = delete;

  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen(std::string_view host, int port,
                                                                     port::Acceptor& acceptor) override;
  /// All hosts are one machine. Told after the way there and back; a reset may come first.
  std::unique_ptr<port::ConnectAttempt> connect(std::string_view host, int port, port::Connector& connector) override;
  /// The near end of a new connection to `port`. If nobody listens there when it arrives, the user hears on_closed.
  std::unique_ptr<port::Connection> connect(int port);

  /// New connections are not reset any more.
  void heal() { faults_.reset_chance = 0; }

  const NetworkCounts& counts() const { return counts_; }

 private:
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

  Link& begin_link(int port);
  void forget(std::uint64_t link);

  World& world_;
  Prng prng_;
  NetworkFaults faults_;
  NetworkCounts counts_;
  std::map<int, Listening> listening_;  ///< By port.
  std::map<std::uint64_t, std::unique_ptr<Link>> links_;
  std::uint64_t next_link_ = 1;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_NETWORK_SIM_H_

// TCP for a real member. A connection reads only when its user lets it, into the loop's one buffer, and holds
// nothing of it; it has at most one write under way. When accepting fails because the machine is out of descriptors or
// memory, the listener waits a little and tries again instead of spinning; connections that wait are served once there
// is room.
#ifndef METASTORE_NET_NETWORK_ASIO_H_
#define METASTORE_NET_NETWORK_ASIO_H_

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string_view>
#include <vector>

#include "core/host/port/network.h"
#include "net/loop_asio.h"

namespace metastore::net {

class NetworkAsio final : public port::Network {
 public:
  explicit NetworkAsio(LoopAsio& loop) : loop_(loop) {}
  /// "localhost" listens on 127.0.0.1 and, where the machine has it, on ::1, on the same port.
  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen(std::string_view host, int port,
                                                                     port::Acceptor& acceptor) override;
  /// A name is looked up on a thread of Asio's; its addresses are tried one after another.
  std::unique_ptr<port::ConnectAttempt> connect(std::string_view host, int port, port::Connector& connector) override;

 private:
  LoopAsio& loop_;
};

class ListenerAsio final : public port::Listener {
 public:
  class Socket;

  ListenerAsio(std::vector<std::shared_ptr<Socket>> sockets, int port);
  ~ListenerAsio() override;
  void accept() override;
  /// The port that is listened on, also if the system chose it.
  int port() const { return port_; }

 private:
  std::vector<std::shared_ptr<Socket>> sockets_;
  int port_;
};

class ConnectionAsio final : public port::Connection {
 public:
  ConnectionAsio(LoopAsio& loop, boost::asio::ip::tcp::socket socket);
  ~ConnectionAsio() override;
  void set_user(port::ConnectionUser& user) override;
  void write(std::string bytes) override;
  void pause_reading(bool paused) override;
  void shut_down() override;
  std::string_view remote_address() const override;

 private:
  class Stream;
  std::shared_ptr<Stream> stream_;  ///< Shared with the operations that Asio has under way.
};

}  // namespace metastore::net

#endif  // METASTORE_NET_NETWORK_ASIO_H_

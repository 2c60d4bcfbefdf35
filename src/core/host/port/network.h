// Byte streams: listening, connecting, reading, writing. Two implementations: Asio (net/network_asio) and the
// simulated network (sim/network_sim). All calls and callbacks happen on the loop thread; no callback comes from within
// a call.
#ifndef METASTORE_CORE_HOST_PORT_NETWORK_H_
#define METASTORE_CORE_HOST_PORT_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace metastore::port {

/// What a Connection tells its user. After on_closed nothing else comes.
class ConnectionUser {
 public:
  /// `bytes` is valid during the call only.
  virtual void on_bytes(BytesView bytes) = 0;
  /// All that was written has left for the operating system.
  virtual void on_drained() = 0;
  /// The other side, or the machine, ended it.
  virtual void on_closed() = 0;

 protected:
  ~ConnectionUser() = default;
};

/// Destroying a Connection closes it at once and silences its callbacks.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void set_user(ConnectionUser& user) = 0;
  /// Takes the bytes over; they leave in order. At most one write is under way: the next may be given after on_drained.
  virtual void write(std::string bytes) = 0;
  /// While paused nothing more is read, so that the peer feels back-pressure.
  virtual void pause_reading(bool paused) = 0;
  /// Ends our side after what was written has left (TCP FIN); on_closed follows when the peer has ended too.
  virtual void shut_down() = 0;
  /// For log lines: "127.0.0.1:52812".
  virtual std::string_view remote_address() const = 0;
};

class Acceptor {
 public:
  virtual void on_accepted(std::unique_ptr<Connection> connection) = 0;

 protected:
  ~Acceptor() = default;
};

/// Destroying a Listener stops it.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Lets in whoever comes, from the next turn on. Until then they wait in the system's queue. To be called once.
  virtual void accept() = 0;
};

/// Why an address cannot be used, in the system's words.
struct NetworkError {
  std::string message;
};

/// Why no connection came to be, and the system's words for it.
struct ConnectError {
  enum class Kind : std::uint8_t {
    refused,      ///< The machine answers and nobody listens there: that process is gone.
    unreachable,  ///< No answer, no route, no such name: nothing is known of that process.
  };
  Kind kind = Kind::refused;
  std::string message;
};

/// Whoever wants a connection hears one of the two, once. A connection that came to be and broke is told to its user.
class Connector {
 public:
  virtual void on_connected(std::unique_ptr<Connection> connection) = 0;
  virtual void on_connect_failed(const ConnectError& error) = 0;

 protected:
  ~Connector() = default;
};

/// Destroying an attempt gives it up: nothing is told any more.
class ConnectAttempt {
 public:
  virtual ~ConnectAttempt() = default;
};

class Network {
 public:
  virtual ~Network() = default;
  /// `host` is an IP address or "localhost"; port 0 takes a free one.
  virtual Result<std::unique_ptr<Listener>, NetworkError> listen(std::string_view host, int port,
                                                                 Acceptor& acceptor) = 0;
  /// `host` is an IP address or a name, whose addresses are tried in order. How long to wait is the caller's business.
  virtual std::unique_ptr<ConnectAttempt> connect(std::string_view host, int port, Connector& connector) = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_NETWORK_H_

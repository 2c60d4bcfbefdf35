#include "net/network_asio.h"

#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <string>
#include <utility>

namespace metastore::net {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

/// How long a listener leaves the machine alone that has no descriptor or memory left.
constexpr std::chrono::milliseconds accept_pause{100};

port::NetworkError cannot_listen(std::string_view host, int port, const error_code& error) {
  const bool bracketed = host.find(':') != std::string_view::npos;
  return {"cannot listen on " + (bracketed ? "[" + std::string(host) + "]" : std::string(host)) + ":" +
          std::to_string(port) + ": " + error.message()};
}

error_code open_listening(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor.set_option(boost::asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
  return error;
}

}  // namespace

/// One listening socket; `acceptor` is null once its listener is gone.
class ListenerAsio::Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(LoopAsio& loop, port::Acceptor& acceptor)
      : loop_(loop), listening_(loop.context()), pause_(loop.context()), acceptor_(&acceptor) {}

  error_code open(const tcp::endpoint& endpoint) { return open_listening(listening_, endpoint); }
  int port() const { return listening_.local_endpoint().port(); }

  void accept() {
    listening_.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
      if (self->acceptor_ == nullptr) return;
      if (!error) self->acceptor_->on_accepted(std::make_unique<ConnectionAsio>(self->loop_, std::move(socket)));
      if (self->acceptor_ == nullptr) return;
      if (!error || error == boost::asio::error::connection_aborted) return self->accept();
      self->accept_later();
    });
  }

  void close() {
    acceptor_ = nullptr;
    error_code ignored;  // Nobody is left to be told.
    listening_.close(ignored);
    pause_.cancel();
  }

 private:
  void accept_later() {
    pause_.expires_after(accept_pause);
    pause_.async_wait([self = shared_from_this()](const error_code&) {
      if (self->acceptor_ != nullptr) self->accept();
    });
  }

  LoopAsio& loop_;
  tcp::acceptor listening_;
  boost::asio::steady_timer pause_;
  port::Acceptor* acceptor_;
};

ListenerAsio::ListenerAsio(std::vector<std::shared_ptr<Socket>> sockets, int port)
    : sockets_(std::move(sockets)), port_(port) {}

void ListenerAsio::accept() {
  for (const auto& socket : sockets_) socket->accept();
}

ListenerAsio::~ListenerAsio() {
  for (const auto& socket : sockets_) socket->close();
}

Result<std::unique_ptr<port::Listener>, port::NetworkError> NetworkAsio::listen(std::string_view host, int port,
                                                                                port::Acceptor& acceptor) {
  std::vector<boost::asio::ip::address> addresses;
  if (host == "localhost") {
    addresses = {boost::asio::ip::address_v4::loopback(), boost::asio::ip::address_v6::loopback()};
  } else {
    error_code error;
    addresses = {boost::asio::ip::make_address(std::string(host), error)};
    if (error) return cannot_listen(host, port, error);
  }

  std::vector<std::shared_ptr<ListenerAsio::Socket>> sockets;
  for (const boost::asio::ip::address& address : addresses) {
    auto socket = std::make_shared<ListenerAsio::Socket>(loop_, acceptor);
    const error_code error = socket->open(tcp::endpoint(address, static_cast<unsigned short>(port)));
    const bool machine_lacks_family = error == boost::asio::error::address_family_not_supported ||
                                      error == boost::system::errc::address_not_available;
    if (machine_lacks_family && !sockets.empty()) continue;
    if (error) return cannot_listen(address.to_string(), port, error);
    port = socket->port();
    sockets.push_back(std::move(socket));
  }
  return std::unique_ptr<port::Listener>(std::make_unique<ListenerAsio>(std::move(sockets), port));
}

}  // namespace metastore::net

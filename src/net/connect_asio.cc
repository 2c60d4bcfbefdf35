#include <boost/asio/connect.hpp>
#include <string>
#include <utility>
#include <vector>

#include "net/network_asio.h"

namespace metastore::net {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

/// What is under way; `connector_` is null once the attempt was given up or has ended.
class Connecting : public std::enable_shared_from_this<Connecting> {
 public:
  Connecting(LoopAsio& loop, port::Connector& connector)
      : loop_(loop), resolver_(loop.context()), socket_(loop.context()), connector_(&connector) {}

  void start(const std::string& host, int port) {
    const auto number = static_cast<unsigned short>(port);
    error_code not_an_address;
    const boost::asio::ip::address address = boost::asio::ip::make_address(host, not_an_address);
    if (host == "localhost") {
      connect({tcp::endpoint(boost::asio::ip::address_v4::loopback(), number),
               tcp::endpoint(boost::asio::ip::address_v6::loopback(), number)});
    } else if (!not_an_address) {
      connect({tcp::endpoint(address, number)});
    } else {
      resolver_.async_resolve(
          host, std::to_string(port), tcp::resolver::numeric_service,
          [self = shared_from_this()](const error_code& error, const tcp::resolver::results_type& found) {
            if (self->connector_ == nullptr) return;
            if (error) return self->fail(error);
            self->connect({found.begin(), found.end()});
          });
    }
  }

  void give_up() {
    connector_ = nullptr;
    resolver_.cancel();
    error_code ignored;  // Nobody is left to be told.
    socket_.close(ignored);
  }

 private:
  void connect(std::vector<tcp::endpoint> endpoints) {
    endpoints_ = std::move(endpoints);
    const auto more_wanted = [self = shared_from_this()](const error_code& error, const tcp::endpoint&) {
      // A machine may have one family only: the other's answer says nothing.
      if (error == boost::asio::error::connection_refused) self->was_refused_ = true;
      return self->connector_ != nullptr;
    };
    boost::asio::async_connect(
        socket_, endpoints_, more_wanted, [self = shared_from_this()](const error_code& error, const tcp::endpoint&) {
          if (self->connector_ == nullptr) return;
          if (error) return self->fail(error);
          std::exchange(self->connector_, nullptr)
              ->on_connected(std::make_unique<ConnectionAsio>(self->loop_, std::move(self->socket_)));
        });
  }

  void fail(const error_code& error) {
    const bool is_refused = was_refused_ || error == boost::asio::error::connection_refused;
    const auto kind = is_refused ? port::ConnectError::Kind::refused : port::ConnectError::Kind::unreachable;
    std::exchange(connector_, nullptr)->on_connect_failed({kind, error.message()});
  }

  LoopAsio& loop_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::vector<tcp::endpoint> endpoints_;
  port::Connector* connector_;
  bool was_refused_ = false;
};

class ConnectAttemptAsio final : public port::ConnectAttempt {
 public:
  explicit ConnectAttemptAsio(std::shared_ptr<Connecting> connecting) : connecting_(std::move(connecting)) {}
  ~ConnectAttemptAsio() override { connecting_->give_up(); }

 private:
  std::shared_ptr<Connecting> connecting_;
};

}  // namespace

std::unique_ptr<port::ConnectAttempt> NetworkAsio::connect(std::string_view host, int port,
                                                           port::Connector& connector) {
  auto connecting = std::make_shared<Connecting>(loop_, connector);
  connecting->start(std::string(host), port);
  return std::make_unique<ConnectAttemptAsio>(std::move(connecting));
}

}  // namespace metastore::net

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/write.hpp>
#include <span>
#include <string>
#include <utility>

#include "core/base/assert.h"
#include "net/network_asio.h"

namespace metastore::net {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

/// What the system has taken goes before all that comes later, so it takes little more than the wire does.
constexpr int not_sent_bytes = 262'144;

std::string address_of(const tcp::socket& socket) {
  error_code error;
  const tcp::endpoint remote = socket.remote_endpoint(error);
  if (error) return "(gone)";
  const std::string host = remote.address().to_string();
  return (remote.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(remote.port());
}

}  // namespace

/// The socket with what is under way on it. Once `user_` is null, nothing is told any more.
class ConnectionAsio::Stream : public std::enable_shared_from_this<Stream> {
 public:
  Stream(LoopAsio& loop, tcp::socket socket)
      : loop_(loop), socket_(std::move(socket)), remote_address_(address_of(socket_)) {
    error_code ignored;  // A socket that died before it was accepted says so when it is read.
    socket_.set_option(tcp::no_delay(true), ignored);
    setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent_bytes, sizeof not_sent_bytes);
    socket_.non_blocking(true, ignored);
  }

  const std::string& remote_address() const { return remote_address_; }

  void set_user(port::ConnectionUser& user) {
    user_ = &user;
    read();
  }

  void silence_and_close() {
    user_ = nullptr;
    error_code ignored;  // Nobody is left to be told.
    socket_.close(ignored);
  }

  void write(std::string bytes) {
    ASSERT(!writing_ && !ending_);
    writing_ = true;
    outgoing_ = std::move(bytes);
    boost::asio::async_write(
        socket_, boost::asio::buffer(outgoing_),
        [self = shared_from_this()](const error_code& error, std::size_t) { self->on_written(error); });
  }

  void pause_reading(bool paused) {
    paused_ = paused;
    read();
  }

  void shut_down() {
    ending_ = true;
    if (!writing_) end();
  }

 private:
  void read() {
    if (reading_ || paused_ || user_ == nullptr) return;
    reading_ = true;
    // Waiting needs no buffer: connections that say nothing cost none, and those that say much share a large one.
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& error) {
      self->reading_ = false;
      self->on_readable(error);
    });
  }

  void on_readable(error_code error) {
    if (paused_ || user_ == nullptr) return;
    const std::span<char> buffer = loop_.read_buffer();
    std::size_t size = 0;
    if (!error) size = socket_.read_some(boost::asio::buffer(buffer.data(), buffer.size()), error);
    if (error && error != boost::asio::error::would_block) return on_ended();
    if (size > 0) user_->on_bytes(BytesView(buffer.data(), size));
    read();
  }

  void on_written(const error_code& error) {
    writing_ = false;
    // What was written is lost when the connection broke; reading tells that, if it is not paused.
    if (error) return on_ended();
    outgoing_.clear();
    if (ending_) end();
    if (user_ != nullptr) user_->on_drained();
  }

  void end() {
    error_code ignored;  // A connection that is broken already ends all the same, by its read.
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void on_ended() {
    if (port::ConnectionUser* user = std::exchange(user_, nullptr)) {
      error_code ignored;  // It is gone already.
      socket_.close(ignored);
      user->on_closed();
    }
  }

  LoopAsio& loop_;
  tcp::socket socket_;
  std::string remote_address_;
  port::ConnectionUser* user_ = nullptr;
  std::string outgoing_;
  bool reading_ = false;
  bool writing_ = false;
  bool paused_ = false;
  bool ending_ = false;
};

ConnectionAsio::ConnectionAsio(LoopAsio& loop, tcp::socket socket)
    : stream_(std::make_shared<Stream>(loop, std::move(socket))) {}
ConnectionAsio::~ConnectionAsio() { stream_->silence_and_close(); }
void ConnectionAsio::set_user(port::ConnectionUser& user) { stream_->set_user(user); }
void ConnectionAsio::write(std::string bytes) { stream_->write(std::move(bytes)); }
void ConnectionAsio::pause_reading(bool paused) { stream_->pause_reading(paused); }
void ConnectionAsio::shut_down() { stream_->shut_down(); }
std::string_view ConnectionAsio::remote_address() const { return stream_->remote_address(); }

}  // namespace metastore::net

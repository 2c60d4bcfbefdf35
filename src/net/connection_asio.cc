#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

#include "core/base/assert.h"
#include "net/network_asio.h"

namespace metastore::net {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

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
  explicit Stream(tcp::socket socket) : socket_(std::move(socket)), remote_address_(address_of(socket_)) {
    error_code ignored;  // A socket that died before it was accepted says so when it is read.
    socket_.set_option(tcp::no_delay(true), ignored);
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
    if (std::exchange(paused_, paused) == paused || paused) return;
    if (held_) {
      boost::asio::post(socket_.get_executor(), [self = shared_from_this()] { self->deliver(); });
    } else {
      read();
    }
  }

  void shut_down() {
    ending_ = true;
    if (!writing_) end();
  }

 private:
  void read() {
    if (reading_ || held_ || paused_ || user_ == nullptr) return;
    reading_ = true;
    socket_.async_read_some(
        boost::asio::buffer(incoming_),
        [self = shared_from_this()](const error_code& error, std::size_t size) { self->on_read(error, size); });
  }

  void on_read(const error_code& error, std::size_t size) {
    reading_ = false;
    if (error) return on_ended();
    incoming_size_ = size;
    held_ = true;
    deliver();
  }

  void deliver() {
    if (!held_ || paused_ || user_ == nullptr) return;
    held_ = false;
    user_->on_bytes(BytesView(incoming_.data(), incoming_size_));
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

  tcp::socket socket_;
  std::string remote_address_;
  port::ConnectionUser* user_ = nullptr;
  std::array<char, 16 * 1024> incoming_;
  std::size_t incoming_size_ = 0;
  std::string outgoing_;
  bool reading_ = false;
  bool held_ = false;  ///< Something was read while paused and waits in incoming_.
  bool writing_ = false;
  bool paused_ = false;
  bool ending_ = false;
};

ConnectionAsio::ConnectionAsio(tcp::socket socket) : stream_(std::make_shared<Stream>(std::move(socket))) {}
ConnectionAsio::~ConnectionAsio() { stream_->silence_and_close(); }
void ConnectionAsio::set_user(port::ConnectionUser& user) { stream_->set_user(user); }
void ConnectionAsio::write(std::string bytes) { stream_->write(std::move(bytes)); }
void ConnectionAsio::pause_reading(bool paused) { stream_->pause_reading(paused); }
void ConnectionAsio::shut_down() { stream_->shut_down(); }
std::string_view ConnectionAsio::remote_address() const { return stream_->remote_address(); }

}  // namespace metastore::net

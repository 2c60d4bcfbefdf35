// One connection of a load generator: our own HTTP/2 client on a socket that never blocks.
#ifndef METASTORE_TESTS_BENCH_LINK_H_
#define METASTORE_TESTS_BENCH_LINK_H_

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/http2_client.h"

namespace metastore::bench {

[[noreturn]] inline void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

class Link {
 public:
  /// `receive_bytes` makes the system hold little for a reader that takes its time.
  explicit Link(const std::string& endpoint, int receive_bytes = 0) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_bytes > 0) setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    const std::size_t colon = endpoint.rfind(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(endpoint.c_str() + colon + 1)));
    if (inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &address.sin_addr) != 1) die("no address: " + endpoint);
    if (connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      die("cannot connect to " + endpoint);
    }
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(descriptor_, F_SETFL, O_NONBLOCK);
  }
  ~Link() { close(descriptor_); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// Sends what can be sent now.
  void send() {
    for (;;) {
      if (out_.empty()) client.write_to(out_, 1 << 20, results);
      if (out_.empty()) return;
      const ssize_t size = ::send(descriptor_, out_.data(), out_.size(), MSG_NOSIGNAL);
      if (size < 0 && errno == EAGAIN) return;
      if (size < 0) {
        hung_up = true;
        return;
      }
      out_.erase(0, static_cast<std::size_t>(size));
    }
  }

  /// Takes some of what has come.
  void receive(std::size_t bytes) {
    const ssize_t size = read(descriptor_, bytes_.data(), std::min(bytes, bytes_.size()));
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) die("the server hung up " + std::string(client.goaway_reason()));
    client.receive(BytesView(bytes_.data(), static_cast<std::size_t>(size)), results);
  }

  void receive() {
    for (;;) {
      const ssize_t size = read(descriptor_, bytes_.data(), bytes_.size());
      if (size < 0 && errno == EAGAIN) return;
      if (size <= 0) {
        hung_up = true;
        return;
      }
      client.receive(BytesView(bytes_.data(), static_cast<std::size_t>(size)), results);
      if (static_cast<std::size_t>(size) < bytes_.size()) return;
    }
  }

  pollfd wanted() const { return {descriptor_, static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0}; }

  api::Http2Client client{{}};
  std::vector<api::CallResult> results;
  bool hung_up = false;

 private:
  const int descriptor_;
  std::string out_;
  std::array<char, 256 * 1024> bytes_;
};

using Links = std::vector<std::unique_ptr<Link>>;

/// Sends on all, waits until one has something, and receives. Links are pointers of any kind.
template <typename AnyLinks>
void turn(AnyLinks& links) {
  static std::vector<pollfd> wanted;
  wanted.clear();
  for (const auto& link : links) {
    link->send();
    wanted.push_back(link->wanted());
  }
  if (poll(wanted.data(), wanted.size(), 60'000) <= 0) die("no answer for 60 seconds");
  for (std::size_t i = 0; i < links.size(); ++i) {
    if ((wanted[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) links[i]->receive();
    if (links[i]->hung_up) die("the server hung up " + std::string(links[i]->client.goaway_reason()));
  }
}

}  // namespace metastore::bench

#endif  // METASTORE_TESTS_BENCH_LINK_H_

// One simulated client's HTTP/2 connection to the member, over simulated sockets. It connects when it is needed and not
// connected, and hands bytes on both ways; what the calls on it mean is its owner's business.
#ifndef METASTORE_SIM_HTTP2_LINE_H_
#define METASTORE_SIM_HTTP2_LINE_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "api/http2_client.h"
#include "core/host/port/loop.h"
#include "core/host/port/network.h"
#include "sim/network_sim.h"

namespace metastore::sim {

/// Where the member of this number serves clients.
constexpr int client_port(std::uint64_t number) { return 2369 + 10 * static_cast<int>(number); }
constexpr int peer_port(std::uint64_t number) { return client_port(number) + 1; }

class Http2Line final : private port::ConnectionUser {
 public:
  /// `news` is run whenever something has come in or ended; it must not destroy the line.
  Http2Line(NetworkSim& network, int port, port::Task& news) : network_(network), port_(port), news_(news) {}

  /// The calls of a connection that works, as far as one can know.
  api::Http2Client& calls();
  void cancel(api::StreamId stream);
  /// Says one more message on a stream; nothing happens if it has ended.
  void send(api::StreamId stream, Bytes message);
  /// Lets what the calls want to say leave. To be called after they were told something.
  void flush();
  void pause_reading(bool is_paused);

  std::vector<api::CallResult> take_results() { return std::exchange(results_, {}); }
  std::vector<api::StreamMessage> take_received();

 private:
  void on_bytes(BytesView bytes) override;
  void on_drained() override;
  void on_closed() override;

  NetworkSim& network_;
  const int port_;
  port::Task& news_;
  std::unique_ptr<api::Http2Client> http2_;
  std::unique_ptr<port::Connection> connection_;
  std::vector<api::CallResult> results_;
  bool is_writing_ = false;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_HTTP2_LINE_H_

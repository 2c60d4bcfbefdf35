// The way from the clients to the member and back. Decoded requests are posted straight into the member's inbox and
// their replies come here instead of to its gateway; in a share of the seeds they travel as HTTP/2 bytes over simulated
// sockets, through the member's own gateway.
#ifndef METASTORE_SIM_DOOR_H_
#define METASTORE_SIM_DOOR_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/prng.h"
#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "core/kv/method.h"
#include "sim/client.h"
#include "sim/http2_line.h"
#include "sim/network_sim.h"
#include "sim/world.h"

namespace metastore::sim {

class StreamCall;

class Door final : public port::ClientExecutor {
 public:
  /// With `network` requests travel over it, without it they are posted.
  Door(World& world, const Plan& plan, NetworkSim* network, std::uint64_t number);
  ~Door() override;
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  bool is_open() const { return inbox_ != nullptr && !is_out_of_reach_; }
  /// The member takes requests. Times it hears are `loop`'s.
  void open(port::Inbox& inbox, const port::Loop& loop);
  /// The member is gone: what was posted gets no answer.
  void close();
  /// No client gets there, whether the member is up or not.
  void set_out_of_reach(bool is_out_of_reach);
  bool is_out_of_reach() const { return is_out_of_reach_; }
  /// Who posts needs nobody to let him in: a member has to answer also what comes before it is ready.
  void serve() override {}
  void reply(std::vector<Reply> replies) override;
  void stream(std::vector<Chunk> chunks, std::vector<StreamEnd> ends) override;

  /// Requires: is_open(), and no other request of this client is under way.
  void submit(Client& client, kv::Method method, Bytes message, Duration patience);
  /// Asks something whose answer nobody waits for. Requires: is_open(), and requests are posted.
  void submit(kv::Method method, Bytes message, Duration patience);
  /// Its member's.
  std::uint64_t number() const { return number_; }
  /// Where its member listens.
  int port() const { return port_; }
  /// Where requests travel as bytes; null if they are posted.
  NetworkSim* network() const { return network_; }
  const Limits& limits() const { return plan_.limits; }
  /// Opens a streaming call, without the network. Requires: is_open().
  RequestId open_stream(kv::Method method, bool requires_leader, StreamCall& call);
  /// Says something on a stream. Requires: is_open().
  void post(Event event) { inbox_->post(std::move(event)); }
  /// Nothing more of the stream shall reach its call.
  void forget(RequestId stream) { streams_.erase(stream); }

  /// Parts of long answers whose readers took their time.
  std::uint64_t parts_left_lying() const { return parts_left_lying_; }

  /// The client waits no longer: no answer will reach it.
  void abandon(Client& client);

 private:
  class Delivery;
  class Line;
  class Reading;

  /// The client's connection is gone.
  void break_off(RequestId id, std::uint64_t client);
  void answer(RequestId id, Answer answer);

  World& world_;
  const Plan& plan_;
  const std::uint64_t number_;
  const int port_;
  Prng prng_;
  Prng readers_;
  NetworkSim* network_;
  port::Inbox* inbox_ = nullptr;
  const port::Loop* loop_ = nullptr;
  bool is_out_of_reach_ = false;
  std::uint64_t next_request_ = 1;
  std::uint64_t parts_left_lying_ = 0;
  std::map<RequestId, std::uint64_t> posted_;
  std::map<RequestId, StreamCall*> streams_;
  std::map<RequestId, std::unique_ptr<Reading>> readings_;         ///< Of some that are posted.
  std::map<std::uint64_t, std::unique_ptr<Delivery>> deliveries_;  ///< By client.
  std::map<std::uint64_t, std::unique_ptr<Line>> lines_;           ///< By client.
};

/// The doors of all members, in the order of their numbers.
class Doors {
 public:
  Doors(World& world, const Plan& plan, NetworkSim* network);

  Door& at(std::size_t index) { return *doors_[index]; }
  /// Requires: there is such a member.
  Door& of(std::uint64_t number) { return *doors_[number - 1]; }
  Door& first() { return *doors_.front(); }
  std::uint64_t parts_left_lying() const;
  /// Where one goes who has been at `former`: mostly there again, unless nobody is in; now and then to another member.
  Door& next(Door& former, Prng& prng);

 private:
  std::vector<std::unique_ptr<Door>> doors_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_DOOR_H_

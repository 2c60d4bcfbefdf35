#include "sim/network_sim.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "sim/calling.h"

namespace metastore::sim {

/// One side of a connection: what is on its way to it, and whom to tell.
class NetworkSim::End {
 public:
  End(NetworkSim& network, Link& link, std::string remote_address)
      : network_(network), link_(link), remote_address_(std::move(remote_address)) {}
  ~End() {
    network_.world_.cancel(delivery_);
    network_.world_.cancel(drain_);
  }

  void attach(ConnectionSim& connection) { connection_ = &connection; }
  void detach();
  bool is_attached() const { return connection_ != nullptr; }
  void set_user(port::ConnectionUser& user) {
    user_ = &user;
    deliver_soon();
  }
  void pause_reading(bool is_paused) {
    is_paused_ = is_paused;
    deliver_soon();
  }
  void write(std::string bytes);
  void shut_down();
  std::string_view remote_address() const { return remote_address_; }

  void arrive(std::string bytes);
  void arrive_end();
  /// The way to here may be open again.
  void resume();
  /// The process here goes on.
  void thaw();
  /// The rest of what was on its way is lost from a drawn place on, and the end comes at once.
  void lose_rest();

 private:
  struct Piece {
    Instant at;
    std::string bytes;
    bool is_end = false;
  };

  End& other() const;
  Site site() const;
  bool is_frozen() const;
  bool is_way_open() const { return network_.is_open(other().site(), site()); }
  void push(Piece piece);
  void deliver_soon();
  void deliver();
  void drain_soon();
  void drain();

  NetworkSim& network_;
  Link& link_;
  std::string remote_address_;
  ConnectionSim* connection_ = nullptr;
  port::ConnectionUser* user_ = nullptr;
  Calling<&End::deliver> delivering_{*this};
  Calling<&End::drain> draining_{*this};
  World::Ticket delivery_;
  World::Ticket drain_;
  std::deque<Piece> incoming_;
  std::uint64_t incoming_bytes_ = 0;
  bool is_end_coming_ = false;
  bool is_told_end_ = false;
  bool is_paused_ = false;
  bool is_writing_ = false;
  bool is_shut_down_ = false;
  bool is_drain_held_ = false;
};

struct NetworkSim::Link {
  Link(NetworkSim& owner, std::uint64_t number, Site from, Site to, Site process, int to_port)
      : network(owner),
        id(number),
        port(to_port),
        near_site(from),
        far_site(to),
        far_process(process),
        faults(from == 0 ? owner.faults_ : owner.faults_between_machines_),
        counts(from == 0 ? owner.counts_ : owner.counts_between_machines_),
        near(owner, *this, "127.0.0.1:" + std::to_string(to_port)),
        far(owner, *this, "127.0.0.1:" + std::to_string(32'768 + number % 28'000)) {}
  ~Link() {
    network.world_.cancel(arrival_ticket);
    network.world_.cancel(entry_ticket);
    network.world_.cancel(answer_ticket);
    network.world_.cancel(reset_ticket);
    network.world_.cancel(farewell_ticket);
  }
  /// The far side learns of the connection.
  void arrive();
  /// Its listener has begun to accept.
  void enter();
  void enter_soon() { entry_ticket = network.world_.at(network.world_.now(), entering); }
  void refuse() {
    near.lose_rest();
    detached();
  }
  /// Who asked learns whether there is one.
  void answer();
  void give_up() {
    if (std::exchange(connector, nullptr) == nullptr) return;
    say_goodbye(near_site, far);
    detached();
  }
  void say_goodbye(Site from, End& to) {
    if (network.dark_.contains(from)) {
      is_orphaned = true;
    } else {
      to.arrive_end();
    }
  }
  void reset() {
    ++counts.resets;
    lose_rest();
  }
  void lose_rest() {
    near.lose_rest();
    far.lose_rest();
  }
  /// Ways may be open again.
  void resume();
  /// The process of one side goes on.
  void thaw();
  Duration draw_delay() { return network.prng_.between(faults.delay_min, faults.delay_max); }
  void detached() {
    if (connector == nullptr && !near.is_attached() && !far.is_attached() && (has_arrived || is_arrival_held)) {
      farewell_ticket = network.world_.at(network.world_.now(), farewell);
    }
  }
  /// Both sides are gone. A turn of its own, because a side may go while it is being told something.
  void leave() {
    // Somebody may have been let in at this very moment.
    if (!near.is_attached() && !far.is_attached()) network.forget(id);
  }

  NetworkSim& network;
  std::uint64_t id;
  int port;
  const Site near_site;
  const Site far_site;     ///< 0 for what clients connect to: their ways are never cut.
  const Site far_process;  ///< The machine there all the same.
  const NetworkFaults& faults;
  NetworkCounts& counts;
  End near;
  End far;
  bool has_arrived = false;
  bool is_arrival_held = false;
  bool is_answer_held = false;
  bool is_entry_held = false;
  bool is_orphaned = false;  ///< One side lost its power, which the other does not know.
  bool is_refused = false;
  port::Connector* connector = nullptr;  ///< Still to be told.
  Calling<&Link::arrive> arrival{*this};
  Calling<&Link::enter> entering{*this};
  Calling<&Link::answer> answering{*this};
  Calling<&Link::reset> resetting{*this};
  Calling<&Link::leave> farewell{*this};
  World::Ticket arrival_ticket;
  World::Ticket entry_ticket;
  World::Ticket answer_ticket;
  World::Ticket reset_ticket;
  World::Ticket farewell_ticket;
};

class NetworkSim::ConnectionSim final : public port::Connection {
 public:
  explicit ConnectionSim(End& end) : end_(end) { end.attach(*this); }
  ~ConnectionSim() override { end_.detach(); }
  void set_user(port::ConnectionUser& user) override { end_.set_user(user); }
  void write(std::string bytes) override { end_.write(std::move(bytes)); }
  void pause_reading(bool is_paused) override { end_.pause_reading(is_paused); }
  void shut_down() override { end_.shut_down(); }
  std::string_view remote_address() const override { return end_.remote_address(); }

 private:
  End& end_;
};

class NetworkSim::AttemptSim final : public port::ConnectAttempt {
 public:
  AttemptSim(NetworkSim& network, std::uint64_t link) : network_(network), link_(link) {}
  ~AttemptSim() override {
    // One that has been answered may be long gone.
    if (const auto link = network_.links_.find(link_); link != network_.links_.end()) link->second->give_up();
  }

 private:
  NetworkSim& network_;
  std::uint64_t link_;
};

class NetworkSim::SiteNetwork final : public port::Network {
 public:
  SiteNetwork(NetworkSim& network, Site site) : network_(network), site_(site) {}
  Result<std::unique_ptr<port::Listener>, port::NetworkError> listen(std::string_view, int port,
                                                                     port::Acceptor& acceptor) override {
    return network_.listen_at(site_, port, acceptor);
  }
  std::unique_ptr<port::ConnectAttempt> connect(std::string_view, int port, port::Connector& connector) override {
    return network_.connect_from(site_, port, connector);
  }

 private:
  NetworkSim& network_;
  Site site_;
};

class NetworkSim::ListenerSim final : public port::Listener {
 public:
  ListenerSim(NetworkSim& network, int port) : network_(network), port_(port) {}
  ~ListenerSim() override {
    const Listening listening = std::move(network_.listening_.extract(port_).mapped());
    for (const std::uint64_t link : listening.waiting) {
      if (const auto found = network_.links_.find(link); found != network_.links_.end()) found->second->refuse();
    }
  }
  void accept() override {
    Listening& listening = network_.listening_.at(port_);
    listening.is_accepting = true;
    for (const std::uint64_t link : std::exchange(listening.waiting, {})) {
      if (const auto found = network_.links_.find(link); found != network_.links_.end()) found->second->enter_soon();
    }
  }

 private:
  NetworkSim& network_;
  int port_;
};

void NetworkSim::End::detach() {
  connection_ = nullptr;
  user_ = nullptr;
  link_.say_goodbye(site(), other());
  link_.detached();
}

void NetworkSim::End::write(std::string bytes) {
  ASSERT(!is_writing_ && !is_shut_down_);
  is_writing_ = true;
  const std::uint64_t piece_max = link_.faults.piece_bytes_max;
  for (BytesView rest = bytes; !rest.empty();) {
    std::uint64_t count = rest.size();
    if (piece_max > 0) count = std::min(count, 1 + network_.prng_.below(piece_max));
    other().arrive(std::string(rest.substr(0, count)));
    rest.remove_prefix(count);
  }
  if (other().incoming_bytes_ <= link_.faults.window_bytes) drain_soon();
}

void NetworkSim::End::shut_down() {
  if (is_shut_down_) return;
  is_shut_down_ = true;
  other().arrive_end();
}

void NetworkSim::End::arrive(std::string bytes) {
  if (is_end_coming_) return;
  ++link_.counts.pieces;
  incoming_bytes_ += bytes.size();
  push({Instant(), std::move(bytes), false});
}

void NetworkSim::End::arrive_end() {
  if (is_end_coming_) return;
  is_end_coming_ = true;
  push({Instant(), {}, true});
}

void NetworkSim::End::push(Piece piece) {
  piece.at = network_.world_.now() + link_.draw_delay();
  if (!incoming_.empty()) piece.at = std::max(piece.at, incoming_.back().at);
  incoming_.push_back(std::move(piece));
  deliver_soon();
}

void NetworkSim::End::lose_rest() {
  const std::size_t kept = static_cast<std::size_t>(network_.prng_.below(incoming_.size() + 1));
  while (incoming_.size() > kept) {
    std::string& bytes = incoming_.back().bytes;
    incoming_bytes_ -= bytes.size();
    // Of the first one that is lost, a part may have got through.
    const bool is_first = incoming_.size() == kept + 1;
    bytes.resize(is_first && !bytes.empty() ? network_.prng_.below(bytes.size()) : 0);
    incoming_bytes_ += bytes.size();
    if (!bytes.empty()) break;
    incoming_.pop_back();
  }
  is_end_coming_ = false;
  arrive_end();
}

void NetworkSim::End::resume() {
  if (incoming_.empty() || network_.world_.is_pending(delivery_) || !is_way_open()) return;
  // What had to wait is sent again.
  Instant& at = incoming_.front().at;
  if (at < network_.world_.now()) at = network_.world_.now() + link_.draw_delay();
  deliver_soon();
}

void NetworkSim::End::deliver_soon() {
  if (user_ == nullptr || is_paused_ || is_told_end_ || incoming_.empty() || is_frozen()) return;
  if (!is_way_open()) {
    ++link_.counts.held;
    return;
  }
  if (!network_.world_.is_pending(delivery_)) delivery_ = network_.world_.at(incoming_.front().at, delivering_);
}

void NetworkSim::End::deliver() {
  if (user_ == nullptr || is_paused_ || is_frozen()) return;
  if (!is_way_open()) {
    ++link_.counts.held;
    return;
  }
  const Piece piece = std::move(incoming_.front());
  incoming_.pop_front();
  incoming_bytes_ -= piece.bytes.size();
  if (other().is_writing_ && incoming_bytes_ <= link_.faults.window_bytes) other().drain_soon();
  deliver_soon();
  if (!piece.is_end) return user_->on_bytes(piece.bytes);
  is_told_end_ = true;
  user_->on_closed();
}

void NetworkSim::End::drain_soon() {
  if (network_.world_.is_pending(drain_)) return;
  drain_ = network_.world_.after(network_.prng_.between(Duration(), link_.faults.delay_min), draining_);
}

void NetworkSim::End::drain() {
  is_drain_held_ = is_frozen();
  if (is_drain_held_) return;
  is_writing_ = false;
  if (user_ != nullptr && !is_told_end_) user_->on_drained();
}

void NetworkSim::End::thaw() {
  deliver_soon();
  if (std::exchange(is_drain_held_, false)) drain_soon();
}

bool NetworkSim::End::is_frozen() const {
  return network_.frozen_.contains(this == &link_.near ? link_.near_site : link_.far_process);
}

NetworkSim::End& NetworkSim::End::other() const { return this == &link_.near ? link_.far : link_.near; }

Site NetworkSim::End::site() const { return this == &link_.near ? link_.near_site : link_.far_site; }

void NetworkSim::Link::arrive() {
  is_arrival_held = !network.is_open(near_site, far_site);
  if (is_arrival_held) {
    ++counts.held;
    return detached();
  }
  has_arrived = true;
  if (connector != nullptr) answer_ticket = network.world_.after(draw_delay(), answering);
  const auto found = network.listening_.find(port);
  is_refused = found == network.listening_.end();
  if (is_refused) {
    ++counts.refused;
    return refuse();
  }
  if (!found->second.is_accepting) return found->second.waiting.push_back(id);
  enter();
}

void NetworkSim::Link::enter() {
  is_entry_held = network.frozen_.contains(far_process);
  if (is_entry_held) return;
  const auto found = network.listening_.find(port);
  if (found == network.listening_.end()) return refuse();
  found->second.acceptor->on_accepted(std::make_unique<ConnectionSim>(far));
}

void NetworkSim::Link::answer() {
  is_answer_held = !network.is_open(far_site, near_site) || network.frozen_.contains(near_site);
  if (is_answer_held) return;
  port::Connector* const asking = std::exchange(connector, nullptr);
  if (asking == nullptr) return;
  if (!is_refused) return asking->on_connected(std::make_unique<ConnectionSim>(near));
  detached();
  asking->on_connect_failed({port::ConnectError::Kind::refused, "Connection refused"});
}

void NetworkSim::Link::resume() {
  if (std::exchange(is_arrival_held, false)) {
    arrival_ticket = network.world_.after(draw_delay(), arrival);
  }
  if (std::exchange(is_answer_held, false)) answer_ticket = network.world_.after(draw_delay(), answering);
  near.resume();
  far.resume();
}

void NetworkSim::Link::thaw() {
  if (std::exchange(is_answer_held, false)) answer_ticket = network.world_.at(network.world_.now(), answering);
  if (std::exchange(is_entry_held, false)) enter_soon();
  near.thaw();
  far.thaw();
}

NetworkSim::NetworkSim(World& world, Prng prng, const NetworkFaults& faults, const NetworkFaults& between_machines)
    : world_(world), prng_(prng), faults_(faults), faults_between_machines_(between_machines) {}

NetworkSim::~NetworkSim() = default;

Result<std::unique_ptr<port::Listener>, port::NetworkError> NetworkSim::listen(std::string_view, int port,
                                                                               port::Acceptor& acceptor) {
  return listen_at(0, port, acceptor);
}

std::unique_ptr<port::ConnectAttempt> NetworkSim::connect(std::string_view, int port, port::Connector& connector) {
  return connect_from(0, port, connector);
}

std::unique_ptr<port::Network> NetworkSim::at(Site site) { return std::make_unique<SiteNetwork>(*this, site); }

Result<std::unique_ptr<port::Listener>, port::NetworkError> NetworkSim::listen_at(Site site, int port,
                                                                                  port::Acceptor& acceptor) {
  if (port == 0) {
    port = 20'000;
    while (listening_.contains(port)) ++port;
  }
  if (!listening_.emplace(port, Listening{.acceptor = &acceptor}).second) {
    return port::NetworkError{"the address is in use"};
  }
  sites_.insert_or_assign(port, site);
  return std::unique_ptr<port::Listener>(std::make_unique<ListenerSim>(*this, port));
}

std::unique_ptr<port::ConnectAttempt> NetworkSim::connect_from(Site site, int port, port::Connector& connector) {
  Link& link = begin_link(site, port);
  link.connector = &connector;
  return std::make_unique<AttemptSim>(*this, link.id);
}

std::unique_ptr<port::Connection> NetworkSim::connect(int port) {
  return std::make_unique<ConnectionSim>(begin_link(0, port).near);
}

NetworkSim::Link& NetworkSim::begin_link(Site site, int port) {
  const std::uint64_t id = next_link_++;
  const auto listener = sites_.find(port);
  const Site to = listener == sites_.end() || site == 0 ? 0 : listener->second;
  const Site process = listener == sites_.end() ? 0 : listener->second;
  Link& link = *links_.emplace(id, std::make_unique<Link>(*this, id, site, to, process, port)).first->second;
  ++link.counts.connections;
  link.arrival_ticket = world_.after(link.draw_delay(), link.arrival);
  if (prng_.chance(link.faults.reset_chance, 1000)) {
    link.reset_ticket = world_.after(prng_.between(Duration(), link.faults.reset_after_max), link.resetting);
  }
  return link;
}

void NetworkSim::mend_all() {
  cuts_.clear();
  resume();
}

void NetworkSim::light(Site site) {
  if (dark_.erase(site) == 0) return;
  for (const auto& [id, link] : links_) {
    if (link->near_site != site && link->far_site != site) continue;
    if (std::exchange(link->is_orphaned, false)) link->lose_rest();
  }
  resume();
}

void NetworkSim::thaw(Site site) {
  if (frozen_.erase(site) == 0) return;
  for (const auto& [id, link] : links_) {
    if (link->near_site == site || link->far_process == site) link->thaw();
  }
}

void NetworkSim::heal() {
  faults_.reset_chance = faults_between_machines_.reset_chance = 0;
  mend_all();
}

void NetworkSim::resume() {
  for (const auto& [id, link] : links_) link->resume();
}

void NetworkSim::forget(std::uint64_t link) { links_.erase(link); }

}  // namespace metastore::sim

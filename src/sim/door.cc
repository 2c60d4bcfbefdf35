#include "sim/door.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/assert.h"
#include "core/base/error.h"
#include "sim/stream_call.h"

namespace metastore::sim {
/// An answer on its way back to one client.
class Door::Delivery final : public port::Task {
 public:
  Delivery(World& world, Client& client) : world_(world), client_(client) {}
  ~Delivery() { world_.cancel(ticket_); }

  void expect(RequestId id) { expected_ = id; }
  std::optional<RequestId> expected() const { return expected_; }
  void deliver(Answer answer, Duration delay) {
    expected_.reset();
    answer_ = std::move(answer);
    ticket_ = world_.after(delay, *this);
  }
  void abandon() {
    expected_.reset();
    world_.cancel(ticket_);
  }
  void run() override { client_.on_answer(std::move(answer_)); }

 private:
  World& world_;
  Client& client_;
  std::optional<RequestId> expected_;
  Answer answer_;
  World::Ticket ticket_;
};

/// One client's connection.
class Door::Line final : private port::Task {
 public:
  Line(NetworkSim& network, int port, Client& client) : client_(client), http2_(network, port, *this) {}

  void call(kv::Method method, Bytes message, Duration patience) {
    stream_ = http2_.calls().call(kv::path(method), std::move(message), patience);
    http2_.flush();
    run();
  }
  void abandon() {
    if (stream_) http2_.cancel(*std::exchange(stream_, std::nullopt));
  }

 private:
  void run() override {
    for (const api::CallResult& result : http2_.take_results()) {
      if (!stream_ || result.stream != *stream_) continue;
      stream_.reset();
      client_.on_answer(answer(result));
    }
  }
  static Answer answer(const api::CallResult& result) {
    if (result.code == StatusCode::ok) return {result.message, ""};
    // Whatever did not come from the store is a broken connection, unless HTTP/2 says that the call was not looked at.
    const bool is_status = result.text.starts_with("etcdserver: ") || result.text == text(ErrorCode::deadline_exceeded);
    if (is_status) return {std::nullopt, result.text};
    return {std::nullopt, result.outcome == Outcome::refused ? "the connection refused it" : ""};
  }

  Client& client_;
  Http2Line http2_;
  std::optional<api::StreamId> stream_;
};

/// A reply that comes in chunks. A slow reader takes them after a while.
class Door::Reading final : private port::Task {
 public:
  Reading(Door& door, RequestId id) : door_(door), id_(id) {
    const Duration longest = door.plan_.reading_pause_max;
    if (longest > Duration() && door.readers_.chance(1, 2)) pause_max_ = longest;
  }
  ~Reading() { door_.world_.cancel(ticket_); }

  void take(const Chunk& chunk) {
    if (chunk.message_bytes > 0) message_bytes_ = chunk.message_bytes;
    const bool is_pausing = undrained_ > 0;
    for (const Bytes& part : chunk.parts) {
      bytes_ += part.view();
      undrained_ += part.size();
    }
    if (pause_max_ == Duration()) return run();
    ++door_.parts_left_lying_;
    if (!is_pausing) ticket_ = door_.world_.after(door_.readers_.between(Duration(), pause_max_), *this);
  }
  Bytes message() const {
    ASSERT(bytes_.size() == message_bytes_);
    return Bytes::copy_of(bytes_);
  }

 private:
  void run() override { door_.post(StreamDrained{id_, std::exchange(undrained_, 0)}); }

  Door& door_;
  const RequestId id_;
  Duration pause_max_;
  std::uint64_t message_bytes_ = 0;
  std::string bytes_;
  std::uint64_t undrained_ = 0;
  World::Ticket ticket_;
};

Door::Door(World& world, const Plan& plan, NetworkSim* network, std::uint64_t number)
    : world_(world),
      plan_(plan),
      number_(number),
      port_(client_port(number)),
      prng_(plan.seed, numbered("door", number)),
      readers_(plan.seed, numbered("readers", number)),
      network_(network) {}

Door::~Door() = default;

void Door::open(port::Inbox& inbox, const port::Loop& loop) {
  inbox_ = &inbox;
  loop_ = &loop;
}

void Door::close() {
  inbox_ = nullptr;
  loop_ = nullptr;
  for (const auto& [id, call] : std::exchange(streams_, {})) call->on_end();
  readings_.clear();
  for (const auto& [id, client] : std::exchange(posted_, {})) break_off(id, client);
}

void Door::set_out_of_reach(bool is_out_of_reach) {
  is_out_of_reach_ = is_out_of_reach;
  if (!is_out_of_reach || inbox_ == nullptr) return;
  for (const auto& [id, call] : std::exchange(streams_, {})) {
    call->on_end();
    inbox_->post(StreamClosed{id});
  }
  // What comes of these is taken all the same, and handed to nobody.
  for (const auto& [id, client] : posted_) break_off(id, client);
}

void Door::break_off(RequestId id, std::uint64_t client) {
  Delivery& delivery = *deliveries_.at(client);
  if (delivery.expected() != id) return;
  delivery.deliver({std::nullopt, ""}, prng_.between(plan_.network.delay_min, plan_.network.delay_max));
}

void Door::stream(std::vector<Chunk> chunks, std::vector<StreamEnd> ends) {
  for (const Chunk& chunk : chunks) {
    if (posted_.contains(chunk.id)) {
      std::unique_ptr<Reading>& reading = readings_[chunk.id];
      if (reading == nullptr) reading = std::make_unique<Reading>(*this, chunk.id);
      reading->take(chunk);
    }
    if (const auto found = streams_.find(chunk.id); found != streams_.end()) found->second->on_chunk(chunk);
  }
  for (const StreamEnd& end : ends) {
    if (auto found = streams_.extract(end.id); !found.empty()) found.mapped()->on_end();
    if (!posted_.contains(end.id)) continue;
    const std::unique_ptr<Reading> reading = std::move(readings_.extract(end.id).mapped());
    if (end.error.has_value()) {
      answer(end.id, {std::nullopt, std::string(text(*end.error))});
    } else {
      answer(end.id, {reading->message(), ""});
    }
  }
}

void Door::answer(RequestId id, Answer answer) {
  const auto found = posted_.find(id);
  if (found == posted_.end()) return;  // The judge has seen that nobody asked.
  Delivery& delivery = *deliveries_.at(found->second);
  posted_.erase(found);
  if (delivery.expected() != id) return;
  delivery.deliver(std::move(answer), prng_.between(plan_.network.delay_min, plan_.network.delay_max));
}

RequestId Door::open_stream(kv::Method method, bool requires_leader, StreamCall& call) {
  ASSERT(is_open());
  const RequestId id(next_request_++);
  streams_.emplace(id, &call);
  inbox_->post(StreamOpened{.id = id, .method = method, .require_leader = requires_leader});
  return id;
}

void Door::reply(std::vector<Reply> replies) {
  for (const Reply& reply : replies) {
    if (const auto* message = std::get_if<Bytes>(&reply.result)) {
      answer(reply.id, {*message, ""});
    } else {
      answer(reply.id, {std::nullopt, std::string(text(std::get<ErrorCode>(reply.result)))});
    }
  }
}

void Door::submit(Client& client, kv::Method method, Bytes message, Duration patience) {
  ASSERT(is_open());
  if (network_ != nullptr) {
    std::unique_ptr<Line>& line = lines_[client.id()];
    if (line == nullptr) line = std::make_unique<Line>(*network_, port_, client);
    return line->call(method, std::move(message), patience);
  }
  std::unique_ptr<Delivery>& delivery = deliveries_[client.id()];
  if (delivery == nullptr) delivery = std::make_unique<Delivery>(world_, client);
  const RequestId id(next_request_++);
  delivery->expect(id);
  posted_.emplace(id, client.id());
  inbox_->post(ClientRequest{id, method, std::move(message), loop_->now() + patience});
}

void Door::submit(kv::Method method, Bytes message, Duration patience) {
  ASSERT(is_open() && network_ == nullptr);
  inbox_->post(ClientRequest{.id = RequestId(next_request_++),
                             .method = method,
                             .message = std::move(message),
                             .deadline = loop_->now() + patience,
                             .asked_at = loop_->wall_now()});
}

void Door::abandon(Client& client) {
  if (const auto line = lines_.find(client.id()); line != lines_.end()) line->second->abandon();
  if (const auto delivery = deliveries_.find(client.id()); delivery != deliveries_.end()) delivery->second->abandon();
}

Doors::Doors(World& world, const Plan& plan, NetworkSim* network) {
  for (std::uint64_t number = 1; number <= plan.machines(); ++number) {
    doors_.push_back(std::make_unique<Door>(world, plan, network, number));
  }
}

std::uint64_t Doors::parts_left_lying() const {
  std::uint64_t parts = 0;
  for (const auto& door : doors_) parts += door->parts_left_lying();
  return parts;
}

Door& Doors::next(Door& former, Prng& prng) {
  if (doors_.size() == 1 || (former.is_open() && !prng.chance(1, 8))) return former;
  return *doors_[prng.below(doors_.size())];
}

}  // namespace metastore::sim

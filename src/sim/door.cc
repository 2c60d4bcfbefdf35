#include "sim/door.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/http2_client.h"
#include "core/base/assert.h"
#include "core/base/error.h"
#include "sim/watcher.h"

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
class Door::Line final : public port::ConnectionUser {
 public:
  Line(NetworkSim& network, Client& client) : network_(network), client_(client) {}

  void call(kv::Method method, Bytes message, Duration patience) {
    if (http2_ == nullptr || !http2_->usable()) {
      http2_ = std::make_unique<api::Http2Client>(api::Http2ClientOptions{});
      is_writing_ = false;
      connection_ = network_.connect(client_port);
      connection_->set_user(*this);
    }
    stream_ = http2_->call(kv::path(method), std::move(message), patience);
    write();
  }
  void abandon() {
    if (!stream_ || http2_ == nullptr) return;
    std::vector<api::CallResult> results;
    http2_->cancel(*std::exchange(stream_, std::nullopt), results);
    write();
  }

  void on_bytes(BytesView bytes) override {
    std::vector<api::CallResult> results;
    http2_->receive(bytes, results);
    write();
    settle(results);
  }
  void on_drained() override {
    is_writing_ = false;
    write();
  }
  void on_closed() override {
    std::vector<api::CallResult> results;
    http2_->close(results);
    connection_.reset();
    settle(results);
  }

 private:
  void write() {
    if (is_writing_ || connection_ == nullptr) return;
    constexpr std::size_t write_bytes_max = 65'536;
    std::string out;
    std::vector<api::CallResult> results;
    http2_->write_to(out, write_bytes_max, results);
    if (!out.empty()) {
      is_writing_ = true;
      connection_->write(std::move(out));
    }
    settle(results);
  }
  void settle(const std::vector<api::CallResult>& results) {
    for (const api::CallResult& result : results) {
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

  NetworkSim& network_;
  Client& client_;
  std::unique_ptr<api::Http2Client> http2_;
  std::unique_ptr<port::Connection> connection_;
  std::optional<api::StreamId> stream_;
  bool is_writing_ = false;
};

Door::Door(World& world, const Plan& plan, NetworkSim* network)
    : world_(world), plan_(plan), prng_(plan.seed, "door"), network_(network) {}

Door::~Door() = default;

void Door::open(port::Inbox& inbox, const port::Loop& loop) {
  inbox_ = &inbox;
  loop_ = &loop;
}

void Door::close() {
  inbox_ = nullptr;
  loop_ = nullptr;
  for (const auto& [id, watcher] : std::exchange(watchers_, {})) watcher->on_end();
  for (const auto& [id, client] : std::exchange(posted_, {})) {
    Delivery& delivery = *deliveries_.at(client);
    if (delivery.expected() == id) {
      delivery.deliver({std::nullopt, ""}, prng_.between(plan_.network.delay_min, plan_.network.delay_max));
    }
  }
}

void Door::stream(std::vector<Chunk> chunks, std::vector<StreamEnd> ends) {
  for (const Chunk& chunk : chunks) {
    if (const auto found = watchers_.find(chunk.id); found != watchers_.end()) found->second->on_chunk(chunk);
  }
  for (const StreamEnd& end : ends) {
    if (auto found = watchers_.extract(end.id); !found.empty()) found.mapped()->on_end();
  }
}

RequestId Door::open_watch(Watcher& watcher) {
  ASSERT(is_open());
  const RequestId id(next_request_++);
  watchers_.emplace(id, &watcher);
  inbox_->post(StreamOpened{id, kv::Method::watch});
  return id;
}

void Door::reply(std::vector<Reply> replies) {
  for (const Reply& reply : replies) {
    const auto found = posted_.find(reply.id);
    if (found == posted_.end()) continue;  // The judge has seen that nobody asked.
    Delivery& delivery = *deliveries_.at(found->second);
    posted_.erase(found);
    if (delivery.expected() != reply.id) continue;
    Answer answer;
    if (const auto* message = std::get_if<Bytes>(&reply.result)) {
      answer.message = *message;
    } else {
      answer.error = text(std::get<ErrorCode>(reply.result));
    }
    delivery.deliver(std::move(answer), prng_.between(plan_.network.delay_min, plan_.network.delay_max));
  }
}

void Door::submit(Client& client, kv::Method method, Bytes message, Duration patience) {
  ASSERT(is_open());
  if (network_ != nullptr) {
    std::unique_ptr<Line>& line = lines_[client.id()];
    if (line == nullptr) line = std::make_unique<Line>(*network_, client);
    return line->call(method, std::move(message), patience);
  }
  std::unique_ptr<Delivery>& delivery = deliveries_[client.id()];
  if (delivery == nullptr) delivery = std::make_unique<Delivery>(world_, client);
  const RequestId id(next_request_++);
  delivery->expect(id);
  posted_.emplace(id, client.id());
  inbox_->post(ClientRequest{id, method, std::move(message), loop_->now() + patience});
}

void Door::abandon(Client& client) {
  if (const auto line = lines_.find(client.id()); line != lines_.end()) line->second->abandon();
  if (const auto delivery = deliveries_.find(client.id()); delivery != deliveries_.end()) delivery->second->abandon();
}

}  // namespace metastore::sim

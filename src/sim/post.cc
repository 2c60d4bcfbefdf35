#include "sim/post.h"

#include <variant>

#include "core/base/assert.h"

namespace metastore::sim {

class Post::Box final : public port::PeerExecutor {
 public:
  Box(Post& post, MemberId owner) : post_(post), owner_(owner) {}
  void send(std::vector<raft::Envelope> messages) override {
    for (raft::Envelope& message : messages) {
      ASSERT(message.from == owner_ && message.to != owner_);
      post_.send(std::move(message));
    }
  }
  // Whoever does not exist has no inbox.
  void set_peers(std::vector<Peer>) override {}

 private:
  Post& post_;
  MemberId owner_;
};

class Post::Delivery final : public port::Task {
 public:
  Delivery(Post& post, std::uint64_t number) : post_(post), number_(number) {}
  void run() override { post_.arrive(number_); }

  MemberId from;
  MemberId to;
  Event event;
  World::Ticket ticket;

 private:
  Post& post_;
  std::uint64_t number_;
};

Post::Post(World& world, const Plan& plan) : world_(world), faults_(plan.post), prng_(plan.seed, "post") {}

Post::~Post() {
  for (const auto& [number, delivery] : deliveries_) world_.cancel(delivery->ticket);
}

std::unique_ptr<port::PeerExecutor> Post::box(MemberId owner) { return std::make_unique<Box>(*this, owner); }

void Post::open(MemberId member, port::Inbox& inbox) {
  for (const auto& [other, box] : inboxes_) {
    tell(member, other, PeerConnected{member}, faults_.delay_max);
    tell(other, member, PeerConnected{other}, faults_.delay_max);
  }
  inboxes_.emplace(member, &inbox);
}

void Post::close(MemberId member) {
  if (inboxes_.erase(member) == 0) return;
  for (const auto& [other, box] : inboxes_) tell(member, other, PeerUnreachable{member}, faults_.delay_max);
}

void Post::mend() {
  for (const auto& [from, to] : std::exchange(cuts_, {})) {
    if (inboxes_.contains(from)) tell(from, to, PeerConnected{from}, faults_.delay_max);
  }
}

void Post::heal() {
  faults_.lost_permille = faults_.repeated_permille = faults_.late_permille = 0;
  mend();
}

void Post::send(raft::Envelope envelope) {
  if (prng_.chance(faults_.lost_permille, 1000)) {
    ++counts_.lost;
    return;
  }
  const bool is_repeated = prng_.chance(faults_.repeated_permille, 1000);
  if (is_repeated) ++counts_.repeated;
  for (int copies = is_repeated ? 2 : 1; copies > 0; --copies) {
    Duration delay = prng_.between(faults_.delay_min, faults_.delay_max);
    if (prng_.chance(faults_.late_permille, 1000)) {
      ++counts_.late;
      delay = delay + prng_.between(Duration(), faults_.late_max);
    }
    tell(envelope.from, envelope.to, PeerMessage{envelope}, delay);
  }
}

void Post::tell(MemberId from, MemberId to, Event event, Duration delay) {
  if (is_cut(from, to)) {
    ++counts_.cut;
    return;
  }
  const std::uint64_t number = next_delivery_++;
  Delivery& delivery = *deliveries_.emplace(number, std::make_unique<Delivery>(*this, number)).first->second;
  delivery.from = from;
  delivery.to = to;
  delivery.event = std::move(event);
  delivery.ticket = world_.after(delay, delivery);
}

void Post::arrive(std::uint64_t number) {
  const auto taken = deliveries_.extract(number);
  Delivery& delivery = *taken.mapped();
  const auto inbox = inboxes_.find(delivery.to);
  if (inbox == inboxes_.end()) return;
  if (is_cut(delivery.from, delivery.to)) {
    ++counts_.cut;
    return;
  }
  // What is said of a connection must still be true.
  const bool is_there = inboxes_.contains(delivery.from);
  if (std::holds_alternative<PeerConnected>(delivery.event) && !is_there) return;
  if (std::holds_alternative<PeerUnreachable>(delivery.event) && is_there) return;
  ++counts_.delivered;
  inbox->second->post(std::move(delivery.event));
}

}  // namespace metastore::sim

#include "sim/courier.h"

#include <utility>

namespace metastore::sim {

class Courier::Late final : public port::Task {
 public:
  Late(Courier& courier, std::uint64_t number, raft::Envelope held)
      : message(std::move(held)), courier_(courier), number_(number) {}
  ~Late() { courier_.world_.cancel(ticket); }
  void run() override { courier_.hand_over(number_); }

  raft::Envelope message;
  World::Ticket ticket;

 private:
  Courier& courier_;
  std::uint64_t number_;
};

Courier::Courier(World& world, const MessageFaults& faults, Prng prng) : world_(world), faults_(faults), prng_(prng) {}

Courier::~Courier() = default;

void Courier::send(std::vector<raft::Envelope> messages) {
  std::vector<raft::Envelope> on_time;
  for (raft::Envelope& message : messages) {
    ++counts_.sent;
    if (prng_.chance(faults_.lost_permille, 1000)) {
      ++counts_.lost;
      continue;
    }
    if (prng_.chance(faults_.repeated_permille, 1000)) {
      ++counts_.repeated;
      hold(message);
    }
    if (prng_.chance(faults_.late_permille, 1000)) {
      ++counts_.late;
      hold(std::move(message));
    } else {
      on_time.push_back(std::move(message));
    }
  }
  if (!on_time.empty()) link_->send(std::move(on_time));
}

void Courier::hold(raft::Envelope message) {
  const std::uint64_t number = next_late_++;
  Late& late = *late_.emplace(number, std::make_unique<Late>(*this, number, std::move(message))).first->second;
  late.ticket = world_.after(prng_.between(Duration(), faults_.late_max), late);
}

void Courier::close() {
  link_ = nullptr;
  resume();
}

void Courier::resume() {
  is_paused_ = false;
  for (const std::uint64_t number : std::exchange(held_, {})) hand_over(number);
}

void Courier::hand_over(std::uint64_t number) {
  if (is_paused_) return held_.push_back(number);
  const auto taken = late_.extract(number);
  if (link_ != nullptr) link_->send({std::move(taken.mapped()->message)});
}

}  // namespace metastore::sim

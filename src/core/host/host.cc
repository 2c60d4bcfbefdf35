#include "core/host/host.h"

#include <utility>

#include "core/base/assert.h"

namespace metastore {

void Host::start(const Executors& executors, std::unique_ptr<Replica> replica) {
  ASSERT(replica_ == nullptr);
  executors_ = std::make_unique<Executors>(executors);
  replica_ = std::move(replica);
  loop_.run_soon(*this);
}

void Host::post(Event event) {
  if (failed_) return;
  inbox_.push_back(std::move(event));
  if (replica_ != nullptr) loop_.run_soon(*this);
}

void Host::storage_failed(const port::StorageError& error) {
  if (failed_) return;
  failed_ = true;
  loop_.cancel(*this);
  executors_->supervisor.member_failed(error);
}

void Host::run() {
  if (failed_) return;
  const Instant now = loop_.now();
  std::vector<Event> batch = std::exchange(inbox_, {});
  Effects effects;
  if (now >= wake_at_) step(now, Woken{}, effects);
  for (Event& event : batch) step(now, std::move(event), effects);
  step(now, BatchEnded{}, effects);
  execute(std::move(effects));
}

void Host::step(Instant now, Event event, Effects& effects) {
  const Input input{now, std::move(event)};
  if (executors_->observer != nullptr) executors_->observer->on_input(input);
  replica_->step(input, effects);
}

void Host::execute(Effects effects) {
  if (executors_->observer != nullptr) executors_->observer->on_effects(effects);
  wake_at_ = effects.wake_at;
  loop_.run_at(*this, wake_at_);
  if (!effects.trace.empty()) executors_->trace.trace(effects.trace);
  if (!effects.log_writes.empty()) executors_->log.write(std::move(effects.log_writes));
  if (effects.checkpoint) executors_->checkpoints.write(std::move(*effects.checkpoint));
  if (!effects.image_steps.empty()) executors_->checkpoints.stage(std::move(effects.image_steps));
  if (effects.defragment) executors_->checkpoints.defragment();
  if (effects.peers) executors_->peers.set_peers(std::move(*effects.peers));
  if (!effects.messages.empty()) executors_->peers.send(std::move(effects.messages));
  if (effects.serve) executors_->clients.serve();
  if (!effects.replies.empty()) executors_->clients.reply(std::move(effects.replies));
  if (!effects.chunks.empty() || !effects.stream_ends.empty()) {
    executors_->clients.stream(std::move(effects.chunks), std::move(effects.stream_ends));
  }
  if (effects.leave) executors_->supervisor.member_removed();
}

}  // namespace metastore

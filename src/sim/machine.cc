#include "sim/machine.h"

#include <optional>
#include <utility>
#include <variant>

#include "core/base/assert.h"
#include "core/base/encoder.h"

namespace metastore::sim {
namespace {

/// All invariants of a replica cost a walk over its state: asked every so many turns.
constexpr std::uint64_t turns_between_invariants = 256;

enum RecordKind : std::uint8_t { boot_record, input_record, effects_record };

std::string field_text(const TraceField& field) {
  struct Visitor {
    std::string operator()(std::uint64_t value) const { return std::to_string(value); }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(const std::string& value) const { return value; }
  };
  return " " + std::string(field.key) + "=" + std::visit(Visitor{}, field.value);
}

}  // namespace

Machine::Machine(const Surroundings& surroundings, std::uint64_t number)
    : around_(surroundings),
      number_(number),
      files_(Prng(surroundings.plan.seed, "disk " + std::to_string(number)), surroundings.plan.crash_weights) {}

Machine::~Machine() { clear(); }

void Machine::boot(std::string_view damaged_path) {
  ASSERT(is_down() && files_.powered());
  ++boots_;
  around_.history.booted(around_.world.now());
  const std::string boot_name = std::to_string(number_) + " boot " + std::to_string(boots_);
  around_.hash.add(boot_record, number_, boot_name);
  around_.trace.add(around_.world.now(), "machine " + std::to_string(number_), "boots");
  loop_ = std::make_unique<LoopSim>(around_.world, Prng(around_.plan.seed, "loop " + boot_name));
  auto worker =
      std::make_unique<WorkerSim>(around_.world, Prng(around_.plan.seed, "worker " + boot_name), around_.plan.disk);
  worker_ = worker.get();
  auto engine_worker = std::make_unique<WorkerSim>(around_.world, Prng(around_.plan.seed, "engine worker " + boot_name),
                                                   around_.plan.disk);
  std::optional<server::StoragePorts> storage;
  storage.emplace(server::StoragePorts{.files = files_,
                                       .engines = engines_,
                                       .log_worker = std::move(worker),
                                       .engine_worker = std::move(engine_worker)});
  auto booted = server::LocalMember::boot(options(), {.loop = *loop_,
                                                      .storage = std::move(storage),
                                                      .network = around_.network,
                                                      .trace = *this,
                                                      .supervisor = *this,
                                                      .observer = this,
                                                      .clients = around_.plan.is_over_http2 ? nullptr : &around_.door});
  if (!booted) {
    if (!facts_.contains("starting a new member")) ++stillbirths_;
    worker_ = nullptr;
    const std::string& message = booted.error().message;
    const bool is_refused_by_name = !damaged_path.empty() && message.find(damaged_path) != std::string::npos;
    if (files_.powered() && !files_.has_broken() && !is_refused_by_name) {
      around_.judge.fail({"O11", around_.world.now(), "a boot was refused: " + message});
    }
    if (around_.trace.is_wanted()) {
      around_.trace.add(around_.world.now(), "machine " + std::to_string(number_), "refuses to boot: " + message);
    }
    return clear();
  }
  member_ = std::move(booted).value();
  around_.door.open(member_->inbox(), *loop_);
}

void Machine::drain() {
  ASSERT(!is_down() && !is_draining_);
  is_draining_ = true;
  member_->drain(drained_);
}

void Machine::kill() {
  ASSERT(!is_down());
  clear();
}

void Machine::power_off() {
  clear();
  files_.power_off();
}

bool Machine::settle() {
  if (is_down()) return false;
  if (files_.has_broken()) judge_broken();
  const bool is_over = !files_.powered() || is_drained_ || has_failed_;
  if (is_over) clear();
  return is_over;
}

void Machine::judge_broken() {
  // The helper thread hears of it at once, the loop when the job is reported.
  const Instant now = around_.world.now();
  if (broken_since_ == Instant::never()) broken_since_ = now;
  if (files_.has_retried()) around_.judge.fail({"O11", now, "what failed on the disk is tried again"});
  if (now > broken_since_ + around_.plan.disk.report_max * 2) {
    around_.judge.fail({"O11", now, "the member goes on, though its disk has failed"});
  }
}

void Machine::clear() {
  broken_since_ = Instant::never();
  if (worker_ != nullptr) stalls_ += worker_->stalls();
  worker_ = nullptr;
  around_.door.close();
  around_.judge.on_crash();
  member_.reset();
  loop_.reset();
  is_draining_ = false;
  is_drained_ = false;
  has_failed_ = false;
}

void Machine::member_failed(const port::StorageError& error) {
  has_failed_ = true;
  if (files_.powered() && !files_.has_broken()) {
    around_.judge.fail({"O11", around_.world.now(), "storage failed on a disk that works: " + error.message});
  }
}

void Machine::on_input(const Input& input) {
  encoded_.clear();
  Encoder encoder(encoded_);
  encode(encoder, input);
  around_.hash.add(input_record, number_, encoded_);
  if (const auto* request = std::get_if<ClientRequest>(&input.event)) {
    around_.judge.on_request(input.now, request->id, request->deadline);
  }
  if (const auto* closed = std::get_if<StreamClosed>(&input.event)) around_.judge.on_closed(closed->id);
  if (around_.trace.is_wanted()) {
    around_.trace.add(around_.world.now(), "member " + std::to_string(number_), describe(input));
  }
}

void Machine::on_effects(const Effects& effects) {
  encoded_.clear();
  Encoder encoder(encoded_);
  encode(encoder, effects);
  around_.hash.add(effects_record, number_, encoded_);
  const Instant now = loop_->now();
  for (const Reply& reply : effects.replies) around_.judge.on_reply(now, reply.id);
  for (const StreamEnd& end : effects.stream_ends) around_.judge.on_stream_end(now, end.id);
  around_.judge.on_turn(now);
  const Replica& replica = member_->replica();
  around_.judge.on_applied(around_.world.now(), boots_, replica.status().applied_index, replica.hash());
  if (++turns_ % turns_between_invariants == 0) replica.check_invariants();
  if (around_.trace.is_wanted()) {
    around_.trace.add(around_.world.now(), "member " + std::to_string(number_), describe(effects));
  }
}

void Machine::trace(const std::vector<TraceLine>& lines) {
  for (const TraceLine& line : lines) {
    ++facts_[std::string(line.message)];
    if (!around_.trace.is_wanted()) continue;
    std::string text(line.message);
    for (const TraceField& field : line.fields) text += field_text(field);
    around_.trace.add(around_.world.now(), "member " + std::to_string(number_), text);
  }
}

server::MemberOptions Machine::options() const {
  const MemberId self(0x1000 + number_);
  const std::string name = "m" + std::to_string(number_);
  server::MemberOptions options;
  options.config.name = name;
  options.config.client_urls = {"http://127.0.0.1:2379"};
  options.config.heartbeat_interval = around_.plan.heartbeat_interval;
  options.config.election_timeout = around_.plan.election_timeout;
  options.config.checkpoint_interval = around_.plan.checkpoint_interval;
  options.config.watch_progress_interval = around_.plan.watch_progress_interval;
  options.config.limits = around_.plan.limits;
  options.new_cluster = {.self = self,
                         .cluster = ClusterId(0x5171),
                         .members = {{.id = self, .name = {}, .peer_urls = {"http://127.0.0.1:2380"}}}};
  options.client_addresses = {{"127.0.0.1", client_port}};
  return options;
}

}  // namespace metastore::sim

#include "sim/machine.h"

#include <optional>
#include <utility>
#include <variant>

#include "core/base/assert.h"
#include "core/base/encoder.h"
#include "core/kv/request.h"
#include "sim/chronicle.h"

namespace metastore::sim {
namespace {

/// All invariants of a replica cost a walk over its state: asked every so many turns.
constexpr std::uint64_t turns_between_invariants = 1'024;

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

Machine::Machine(const Surroundings& surroundings, Door& door, std::uint64_t number)
    : around_(surroundings),
      door_(door),
      number_(number),
      name_("member " + std::to_string(number)),
      network_(surroundings.network.at(number)),
      courier_(surroundings.world, surroundings.plan.peers.messages,
               Prng(surroundings.plan.seed, "courier " + std::to_string(number))),
      disk_(std::make_unique<Disk>(Prng(surroundings.plan.seed, "disk " + std::to_string(number)),
                                   surroundings.plan.crash_weights)),
      id_(member_id(number)),
      is_admitted_(number <= surroundings.plan.members),
      is_newcomer_(!is_admitted_),
      changes_(id_, Duration()),
      disk_checker_(surroundings.plan.disk.report_max),
      backlog_(Limits()) {}

Machine::~Machine() { clear(); }

void Machine::boot(std::string_view damaged_path, std::uint64_t configuration) {
  ASSERT(is_down() && files().powered());
  ASSERT(is_admitted_);
  ++boots_;
  around_.network.light(number_);
  around_.history.booted(number_, around_.world.now());
  if (around_.chronicle != nullptr) around_.chronicle->on_boot(number_, id_);
  const std::string boot_name = std::to_string(number_) + " boot " + std::to_string(boots_);
  around_.hash.add(boot_record, number_, boot_name);
  around_.trace.add(around_.world.now(), "machine " + std::to_string(number_), "boots");
  loop_ = std::make_unique<LoopSim>(around_.world, Prng(around_.plan.seed, "loop " + boot_name),
                                    around_.plan.clock_pace_ppm);
  loop_->jump(jumped_);
  backlog_counts_ += backlog_.counts();
  const MemberSettings settings = settings_of(around_.plan, configuration);
  backlog_ = BacklogChecker(settings.limits);
  changes_judged_ += changes_.judged();
  changes_ = ChangeChecker(id_, Duration::milliseconds(static_cast<std::int64_t>(settings.limits.peer_settled_ms)));
  election_timeout_ = settings.election_timeout;
  leaderless_.on_boot(election_timeout_);
  auto worker =
      std::make_unique<WorkerSim>(around_.world, Prng(around_.plan.seed, "worker " + boot_name), around_.plan.disk);
  worker_ = worker.get();
  auto engine_worker = std::make_unique<WorkerSim>(around_.world, Prng(around_.plan.seed, "engine worker " + boot_name),
                                                   around_.plan.disk);
  engine_worker_ = engine_worker.get();
  std::optional<server::StoragePorts> storage;
  storage.emplace(server::StoragePorts{.files = disk_->files,
                                       .engines = disk_->engines,
                                       .log_worker = std::move(worker),
                                       .engine_worker = std::move(engine_worker)});
  auto booted = server::LocalMember::boot(options(settings), {.loop = *loop_,
                                                              .storage = std::move(storage),
                                                              .network = *network_,
                                                              .trace = *this,
                                                              .supervisor = *this,
                                                              .observer = this,
                                                              .clients = around_.plan.is_over_http2 ? nullptr : &door_,
                                                              .peers = &courier_});
  if (!booted) {
    if (!facts_.contains("starting a new member")) ++stillbirths_;
    worker_ = engine_worker_ = nullptr;
    const std::string& message = booted.error().message;
    around_.judge.take(disk_checker_.on_refused(around_.world.now(), message, damaged_path, has_working_disk()));
    if (around_.trace.is_wanted()) {
      around_.trace.add(around_.world.now(), "machine " + std::to_string(number_), "refuses to boot: " + message);
    }
    if (!files().powered()) around_.network.darken(number_);
    return clear();
  }
  member_ = std::move(booted).value();
  check_invariants();
  chart_log();
  door_.open(member_->inbox(), *loop_);
  courier_.open(member_->peer_link());
}

void Machine::admit(MemberId id) {
  ASSERT(!is_admitted_ && is_down());
  if (!former_.empty()) {
    const std::string name = "new disk " + std::to_string(number_) + " " + std::to_string(boots_);
    disk_ = std::make_unique<Disk>(Prng(around_.plan.seed, name), around_.plan.crash_weights);
    last_configurations_.clear();
  }
  id_ = id;
  is_admitted_ = is_newcomer_ = true;
}

std::string peer_url_of(std::uint64_t number) { return "http://127.0.0.1:" + std::to_string(peer_port(number)); }

std::vector<std::vector<MemberId>> Machine::configurations() const {
  if (is_down()) return last_configurations_;
  const raft::ConfState& by_log = member_->replica().raft().conf_state();
  std::vector<MemberId> by_table;
  for (const auto& [id, member] : members().all()) {
    if (!member.is_learner) by_table.push_back(id);
  }
  std::vector<std::vector<MemberId>> all = {by_log.voters, std::move(by_table)};
  if (!by_log.voters_outgoing.empty()) all.push_back(by_log.voters_outgoing);
  return all;
}

bool Machine::knows_all_members() const {
  for (std::uint64_t number = 1; number <= around_.plan.members; ++number) {
    const Member* member = member_->replica().members().find(member_id(number));
    if (member == nullptr || member->data_id == 0) return false;
  }
  return true;
}

void Machine::swap_disk() {
  ASSERT(is_down());
  if (own_disk_ != nullptr) {
    disk_ = std::move(own_disk_);
  } else {
    own_disk_ = std::move(disk_);
    const std::string name = "empty disk " + std::to_string(number_) + " " + std::to_string(boots_);
    disk_ = std::make_unique<Disk>(Prng(around_.plan.seed, name), around_.plan.crash_weights);
  }
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
  around_.network.darken(number_);
  clear();
  files().power_off();
}

void Machine::pause(Duration length) {
  ASSERT(!is_down() && !is_paused());
  paused_at_ = around_.world.now();
  loop_->pause();
  worker_->pause();
  engine_worker_->pause();
  courier_.pause();
  around_.network.freeze(number_);
  resumption_ = around_.world.after(length, resuming_);
}

void Machine::resume() {
  if (!is_paused()) return;
  around_.world.cancel(resumption_);
  const Duration paused = around_.world.now() - *std::exchange(paused_at_, std::nullopt);
  around_.trace.add(around_.world.now(), "machine " + std::to_string(number_), "the process goes on");
  // What it could not do nobody may hold against it.
  around_.judge.replies_of(id_).on_paused(paused);
  disk_checker_.on_paused(paused);
  loop_->resume();
  worker_->resume();
  engine_worker_->resume();
  courier_.resume();
  around_.network.thaw(number_);
}

void Machine::jump(Duration by) {
  jumped_ = jumped_ + by;
  if (loop_ != nullptr) loop_->jump(by);
}

bool Machine::settle() {
  if (is_down()) return false;
  if (files().has_broken() && !is_paused()) {
    around_.judge.take(disk_checker_.on_broken(around_.world.now(), files().has_retried()));
  }
  const bool is_over = !files().powered() || is_drained_ || has_failed_;
  if (!is_over) return false;
  if (!files().powered()) around_.network.darken(number_);
  if (is_drained_ && is_removed_) {
    is_admitted_ = false;
    former_.push_back(id_);
  }
  clear();
  return true;
}

void Machine::clear() {
  if (!is_down()) last_configurations_ = configurations();
  disk_checker_.on_down();
  if (worker_ != nullptr) stalls_ += worker_->stalls();
  worker_ = engine_worker_ = nullptr;
  around_.world.cancel(resumption_);
  const bool was_paused = std::exchange(paused_at_, std::nullopt).has_value();
  courier_.close();
  door_.close();
  around_.judge.on_crash(id_);
  member_.reset();
  loop_.reset();
  if (was_paused) around_.network.thaw(number_);
  is_removed_ = false;
  is_draining_ = false;
  has_image_step_ = has_begun_installing_ = has_begun_to_lead_ = false;
  is_drained_ = false;
  has_failed_ = false;
  led_term_ = Term();
  committed_ = LogIndex();
  hashes_asked_.clear();
}

void Machine::dismiss() {
  is_removed_ = true;
  if (!is_draining_) drain();
}

void Machine::member_failed(const port::StorageError& error) {
  has_failed_ = true;
  around_.judge.take(disk_checker_.on_failure(around_.world.now(), error.message, has_working_disk()));
}

void Machine::on_input(const Input& input) {
  encoded_.clear();
  Encoder encoder(encoded_);
  encode(encoder, input);
  around_.hash.add(input_record, number_, encoded_);
  if (const auto* request = std::get_if<ClientRequest>(&input.event)) {
    around_.judge.take(around_.judge.replies_of(id_).on_request(input.now, request->id, request->deadline));
    hear_of_change(*request, input.now);
    if (request->method == kv::Method::hash) hashes_asked_.insert(request->id);
    kv::MoveLeaderRequest move;
    if (request->method == kv::Method::move_leader && kv::read(request->message.view(), move)) {
      around_.judge.elections().on_move_asked(input.now, id_, request->id, move.target);
    }
  }
  if (const auto* written = std::get_if<CheckpointWritten>(&input.event)) {
    backlog_.on_checkpoint(written->applied_index);
  }
  if (const auto* written = std::get_if<LogWritten>(&input.event)) {
    if (is_on_own_disk()) around_.judge.atlas().on_written(id_, written->id);
    if (backlog_.on_log_written(written->id)) judge_log_files();
  }
  if (const auto* connected = std::get_if<PeerConnected>(&input.event)) {
    changes_.on_connected(input.now, connected->peer);
  }
  if (const auto* refused = std::get_if<PeerUnreachable>(&input.event)) changes_.on_disconnected(refused->peer);
  if (const auto* lost = std::get_if<PeerLost>(&input.event)) changes_.on_disconnected(lost->peer);
  if (const auto* opened = std::get_if<StreamOpened>(&input.event)) {
    const bool has_leader = member_->replica().status().leader != MemberId();
    leaderless_.on_opened(opened->id, opened->require_leader, has_leader);
  }
  if (const auto* closed = std::get_if<StreamClosed>(&input.event)) {
    leaderless_.on_closed(closed->id);
    around_.judge.replies_of(id_).on_closed(closed->id);
  }
  if (around_.chronicle != nullptr) around_.chronicle->on_input(number_, input);
  if (around_.trace.is_wanted()) {
    around_.trace.add(around_.world.now(), name_, describe(input));
  }
}

void Machine::on_effects(const Effects& effects) {
  encoded_.clear();
  Encoder encoder(encoded_);
  encode(encoder, effects);
  around_.hash.add(effects_record, number_, encoded_);
  const Instant now = loop_->now();
  Judge& judge = around_.judge;
  ReplyChecker& replies = judge.replies_of(id_);
  for (const Reply& reply : effects.replies) judge.take(replies.on_reply(now, reply.id));
  for (const StreamEnd& end : effects.stream_ends) judge.take(replies.on_stream_end(now, end.id));
  judge.take(replies.on_turn(now));
  has_image_step_ = has_image_step_ || !effects.image_steps.empty();
  for (const raft::LogWrite& write : effects.log_writes) {
    // A mark of the member's own lets segments go.
    has_begun_installing_ = has_begun_installing_ || (write.mark && write.release_to == LogIndex());
  }
  const Replica& replica = member_->replica();
  const ReplicaStatus status = replica.status();
  judge.on_applied(around_.world.now(), boots_ * around_.plan.machines() + number_, status.applied_index,
                   replica.hash());
  around_.history.learns(number_, status.is_learner, around_.world.now());
  judge_raft(status, effects);
  judge_commits(status);
  judge_backlog(status, effects);
  judge_hashes(status, effects);
  judge_moves(status, effects);
  judge_changes(effects);
  judge_streams(status, effects);
  chart(status, effects);
  judge_log(status, effects);
  announce_compactions(effects);
  if (++turns_ % turns_between_invariants == 0) check_invariants();
  if (around_.chronicle != nullptr) around_.chronicle->on_effects(number_, effects);
  if (around_.trace.is_wanted()) {
    around_.trace.add(around_.world.now(), name_, describe(effects));
  }
}

void Machine::trace(const std::vector<TraceLine>& lines) {
  for (const TraceLine& line : lines) {
    ++facts_[std::string(line.message)];
    if (!around_.trace.is_wanted()) continue;
    std::string text(line.message);
    for (const TraceField& field : line.fields) text += field_text(field);
    around_.trace.add(around_.world.now(), name_, text);
  }
}

server::MemberOptions Machine::options(const MemberSettings& settings) const {
  const std::string name = "m" + std::to_string(number_);
  server::MemberOptions options;
  options.config.name = name;
  options.config.client_urls = {"http://127.0.0.1:" + std::to_string(door_.port())};
  options.config.heartbeat_interval = settings.heartbeat_interval;
  options.config.election_timeout = settings.election_timeout;
  options.config.checkpoint_interval = settings.checkpoint_interval;
  options.config.watch_progress_interval = around_.plan.watch_progress_interval;
  options.config.limits = settings.limits;
  options.config.quota_bytes = around_.plan.quota_bytes;
  options.config.retention = {.period = around_.plan.retention_period, .revisions = around_.plan.retention_revisions};
  options.new_cluster = {.self = id_, .cluster = ClusterId(0x5171), .members = {}};
  options.config.acquaintances = acquaintances_;
  for (std::uint64_t number = 1; number <= around_.plan.members && !is_newcomer_; ++number) {
    options.new_cluster->members.push_back({.id = member_id(number), .name = {}, .peer_urls = {peer_url_of(number)}});
  }
  options.peer_addresses = {{"127.0.0.1", peer_port(number_)}};
  options.client_addresses = {{"127.0.0.1", door_.port()}};
  return options;
}

std::optional<std::uint64_t> leading_machine(const std::vector<std::unique_ptr<Machine>>& machines) {
  std::optional<std::uint64_t> leading;
  for (std::uint64_t number = 1; number <= machines.size(); ++number) {
    const Machine& machine = *machines[number - 1];
    if (machine.is_down() || machine.is_paused() || !machine.status().is_leader) continue;
    if (!leading || machines[*leading - 1]->status().term < machine.status().term) leading = number;
  }
  return leading;
}

}  // namespace metastore::sim

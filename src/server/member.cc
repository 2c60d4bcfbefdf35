#include "server/member.h"

#include <array>
#include <utility>

#include "core/base/assert.h"
#include "core/base/version.h"
#include "core/replica/forced_cluster.h"
#include "server/log_lines.h"

namespace metastore::server {
namespace {

/// How long clients may take to leave, and how often that is looked at.
constexpr Duration drain_time = Duration::seconds(1);
constexpr Duration drain_glance = Duration::milliseconds(5);

/// Ids carry so much of an incarnation.
constexpr std::uint64_t incarnation_mask = 0x7f'ffff;

std::string milliseconds(Duration duration) { return std::to_string(duration.milliseconds()) + "ms"; }

/// In etcd's words, so that who looks for them finds them.
TraceLine quota_line(std::int64_t bytes) {
  TraceLine line{TraceLevel::info, "enabled backend quota", {{"quota-size-bytes", bytes}}};
  if (bytes < 0) line.message = "disabled backend quota";
  if (bytes == default_quota_bytes) line.message = "enabled backend quota with default value";
  if (bytes > quota_bytes_advised_max) {
    line.level = TraceLevel::warn;
    line.message = "quota exceeds the maximum value";
    line.fields.push_back({"quota-maximum-size-bytes", quota_bytes_advised_max});
  }
  return line;
}

/// A new cluster's log begins with its members, committed.
raft::LogWrite first_write(const MemberOptions::NewCluster& cluster) {
  raft::LogWrite write;
  // Who joins one that exists begins with nothing.
  if (cluster.members.empty()) {
    write.hard_state = raft::HardState{};
    return write;
  }
  write.append = bootstrap_entries(cluster.members);
  write.hard_state = raft::HardState{Term(1), MemberId(), write.append.back().index};
  return write;
}

}  // namespace

Result<std::unique_ptr<LocalMember>, BootError> LocalMember::boot(const MemberOptions& options, MemberPorts ports) {
  auto member = std::unique_ptr<LocalMember>(new LocalMember(options, std::move(ports)));
  // Listening comes first, so that a port in use leaves no trace in the data directory. Clients are let in only once
  // the member is ready, as etcd does it: before, it would refuse them for want of a leader, and some ask but once.
  api::Gateway& gateway = member->gateway_;
  if (const auto status = member->listen(options.client_addresses, gateway, "--listen-client-urls"); !status) {
    return status.error();
  }
  gateway.serve_at(std::exchange(member->listeners_, {}));
  if (const auto status = member->listen(options.metrics_addresses, gateway.pages(), "--listen-metrics-urls");
      !status) {
    return status.error();
  }
  if (const auto status = member->listen(options.peer_addresses, member->peers_, "--listen-peer-urls"); !status) {
    return status.error();
  }
  if (const auto status = member->recover(options); !status) return status.error();
  for (const auto& listener : member->listeners_) listener->accept();
  return member;
}

LocalMember::LocalMember(const MemberOptions& options, MemberPorts ports)
    : ports_(std::move(ports)),
      metrics_detail_(options.metrics_detail),
      host_(ports_.loop),
      gateway_(options.sessions, ports_.loop, host_, *this),
      log_memory_(host_) {}

LocalMember::~LocalMember() {
  ports_.loop.cancel(*this);
  // What the workers work for must outlive their last jobs.
  ports_.storage.reset();
}

Status<BootError> LocalMember::listen(const std::vector<ListenAddress>& addresses, port::Acceptor& acceptor,
                                      std::string_view flag) {
  for (const ListenAddress& address : addresses) {
    auto listener = ports_.network.listen(address.host, address.port, acceptor);
    if (!listener) {
      return BootError{listener.error().message + "; stop what uses it, or change " + std::string(flag)};
    }
    listeners_.push_back(std::move(listener).value());
  }
  return Done{};
}

Result<storage::Recovery, BootError> LocalMember::recover_storage(const MemberOptions& options) {
  storage::NewMember new_member;
  if (options.new_cluster.has_value()) {
    new_member = {.data_id = ports_.loop.entropy()[0],
                  .metadata = {options.new_cluster->self, options.new_cluster->cluster},
                  .first = first_write(*options.new_cluster)};
  } else if (const auto has_data = storage::holds_member(ports_.storage->files); has_data && !has_data.value()) {
    return BootError{"the data directory is empty, and nothing says which cluster the member belongs to"};
  }
  auto recovered = storage::recover(ports_.storage->files, ports_.storage->engines, options.config.limits, new_member);
  if (!recovered) return BootError{recovered.error().message};
  storage::Recovery& recovery = recovered.value();
  if (!options.forces_new_cluster) return std::move(recovery);
  if (const auto write = force_new_cluster(recovery.recovered, recovery.metadata.member_id)) {
    if (const auto status = recovery.wal->append({&*write, 1}); !status) return BootError{status.error().message};
  }
  return std::move(recovery);
}

Result<storage::Recovery, BootError> LocalMember::begin_anew(const MemberOptions& options) {
  if (!options.new_cluster.has_value()) {
    return BootError{"--engine=memory keeps nothing, and nothing says which cluster the member belongs to"};
  }
  raft::LogWrite first = first_write(*options.new_cluster);
  storage::Recovery recovery;
  recovery.created = true;
  // Nothing says how often this member has run: its ids differ from those of former runs by chance.
  const std::array<std::uint64_t, 2> drawn = ports_.loop.entropy();
  recovery.identity = {.data_id = drawn[0], .incarnation = 1 + (drawn[1] & incarnation_mask)};
  // Whoever knew the former run of one that is alone must not take this one for it.
  const bool is_alone = options.new_cluster->members.size() == 1;
  const ClusterId cluster = is_alone ? ClusterId(ports_.loop.entropy()[0]) : options.new_cluster->cluster;
  recovery.metadata = {options.new_cluster->self, cluster};
  recovery.recovered.log.hard_state = *first.hard_state;
  recovery.recovered.log.entries = std::move(first.append);
  return recovery;
}

Status<BootError> LocalMember::recover(const MemberOptions& options) {
  auto recovered = ports_.storage ? recover_storage(options) : begin_anew(options);
  if (!recovered) return recovered.error();
  storage::Recovery& recovery = recovered.value();

  Config config = options.config;
  config.member = id_ = recovery.metadata.member_id;
  config.cluster = recovery.metadata.cluster_id;
  config.incarnation = recovery.identity.incarnation;
  config.data_id = recovery.identity.data_id;
  config.seed = ports_.loop.entropy()[0];
  announce(options, config, recovery);
  if (ports_.storage) {
    log_store_ =
        std::make_unique<storage::LogStore>(std::move(recovery.wal), config.limits, *ports_.storage->log_worker, host_);
    checkpointer_ =
        std::make_unique<storage::Checkpointer>(std::move(recovery.engine), *ports_.storage->engine_worker, host_);
  }
  peers_.link = std::make_unique<net::PeerLink>(
      net::PeerIdentity{config.member, config.cluster, config.data_id, config.incarnation}, config.limits, config.seed,
      net::PeerPorts{ports_.loop, ports_.network, host_, ports_.trace});
  auto replica = std::make_unique<Replica>(config, std::move(recovery.recovered), ports_.loop.now());
  host_.start({.log = log_store_ ? static_cast<port::LogExecutor&>(*log_store_) : log_memory_,
               .checkpoints = checkpointer_ ? static_cast<port::CheckpointExecutor&>(*checkpointer_) : log_memory_,
               .clients = ports_.clients != nullptr ? *ports_.clients : gateway_,
               .peers = ports_.peers != nullptr ? *ports_.peers : static_cast<port::PeerExecutor&>(*peers_.link),
               .trace = ports_.trace,
               .supervisor = ports_.supervisor,
               .observer = ports_.observer},
              std::move(replica));
  return Done{};
}

void LocalMember::announce(const MemberOptions& options, const Config& config, const storage::Recovery& recovery) {
  std::vector<TraceLine> lines;
  if (!recovery.torn.empty()) {
    lines.push_back({TraceLevel::warn, "cut off a torn end of the log", {{"found", recovery.torn}}});
  }
  lines.push_back({TraceLevel::info,
                   recovery.created ? "starting a new member" : "restarting a member",
                   {{"version", std::string(metastore_version)},
                    {"etcd-version", std::string(etcd_version)},
                    {"name", config.name},
                    {"local-member-id", hexadecimal(config.member.value())},
                    {"cluster-id", hexadecimal(config.cluster.value())},
                    {"commit-index", recovery.recovered.log.hard_state.commit.value()},
                    {"heartbeat-interval", milliseconds(config.heartbeat_interval)},
                    {"election-timeout", milliseconds(config.election_timeout)},
                    {"snapshot-catchup-entries", config.limits.log_entries_kept}}});
  lines.push_back(quota_line(config.quota_bytes));
  for (const ListenAddress& address : options.client_addresses) {
    const std::string at = address.host + ":" + std::to_string(address.port);
    lines.push_back({TraceLevel::info, "serving client traffic without encryption", {{"address", at}}});
  }
  for (const ListenAddress& address : options.metrics_addresses) {
    const std::string at = address.host + ":" + std::to_string(address.port);
    lines.push_back({TraceLevel::info, "serving metrics and health", {{"address", at}}});
  }
  for (const ListenAddress& address : options.peer_addresses) {
    const std::string at = address.host + ":" + std::to_string(address.port);
    lines.push_back({TraceLevel::info, "serving peer traffic without encryption", {{"address", at}}});
  }
  ports_.trace.trace(lines);
}

void LocalMember::drain(port::Task& drained) {
  ASSERT(drained_ == nullptr);
  drained_ = &drained;
  drained_by_ = ports_.loop.now() + drain_time;
  listeners_.clear();
  gateway_.begin_shutdown();
  host_.post(Stopping{});
  ports_.loop.run_soon(*this);
}

void LocalMember::run() {
  const Instant now = ports_.loop.now();
  const bool owes_nothing = ports_.clients == nullptr || replica().status().is_idle;
  const bool is_free = owes_nothing && !replica().status().is_handing_over;
  if ((gateway_.connections() == 0 && is_free) || now >= drained_by_) return ports_.loop.run_soon(*drained_);
  ports_.loop.run_at(*this, now + drain_glance);
}

bool LocalMember::has_leader() const { return replica().status().leader != MemberId(); }

bool LocalMember::is_learner() const { return replica().status().is_learner; }

std::vector<std::string> LocalMember::alarms() const {
  std::vector<std::string> names;
  for (const kv::Alarm& alarm : replica().status().alarms) names.emplace_back(name(alarm.type));
  return names;
}

port::Versions LocalMember::versions() const {
  const std::string cluster = replica().status().cluster_version;
  return {.server = std::string(etcd_version), .cluster = cluster, .storage = cluster};
}

std::string LocalMember::metrics() const {
  std::optional<WallTime> compacted_at;
  if (const auto instant = replica().metrics().counts.compacted_at) {
    const Duration ago = ports_.loop.now() - *instant;
    compacted_at = WallTime{ports_.loop.wall_now().unix_nanoseconds - ago.nanoseconds()};
  }
  return metrics_text({.member = id_,
                       .replica = replica(),
                       .door = gateway_.counts(),
                       .log = log_store_.get(),
                       .checkpointer = checkpointer_.get(),
                       .process = ports_.process,
                       .compacted_at = compacted_at,
                       .detail = metrics_detail_});
}

void LocalMember::PeerDoorway::on_accepted(std::unique_ptr<port::Connection> connection) {
  link->door().on_accepted(std::move(connection));
}

}  // namespace metastore::server

// One member, put together over the ports: what the data directory holds, the replica in its host, the log store and
// the door to the clients. Production hands it real ports and the simulator its own; it has no socket, file or clock
// that is not theirs, and decides nothing.
#ifndef METASTORE_SERVER_MEMBER_H_
#define METASTORE_SERVER_MEMBER_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/gateway.h"
#include "api/session_options.h"
#include "core/host/host.h"
#include "core/host/port/engine.h"
#include "core/host/port/executors.h"
#include "core/host/port/files.h"
#include "core/host/port/loop.h"
#include "core/host/port/member_facts.h"
#include "core/host/port/network.h"
#include "core/host/port/process.h"
#include "core/replica/config.h"
#include "core/replica/members.h"
#include "net/peer_link.h"
#include "server/metrics.h"
#include "storage/checkpointer.h"
#include "storage/log_memory.h"
#include "storage/log_store.h"
#include "storage/recovery.h"

namespace metastore::server {

/// Where clients or peers are served.
struct ListenAddress {
  std::string host;
  int port = 0;
};

struct MemberOptions {
  /// Names, times and limits. Its identity and seed are left aside: those are the data directory's and the loop's.
  Config config;
  /// Who this member is and whom it begins with, if the data directory is empty; without it an empty one is refused.
  struct NewCluster {
    MemberId self;
    ClusterId cluster;
    std::vector<Member> members;  ///< None: it joins a cluster that exists, and begins with an empty log.
  };
  std::optional<NewCluster> new_cluster;
  bool forces_new_cluster = false;  ///< If there is data: the member makes a cluster of its own of it.
  api::SessionOptions sessions;
  std::vector<ListenAddress> client_addresses;
  std::vector<ListenAddress> metrics_addresses;
  std::vector<ListenAddress> peer_addresses;
  MetricsDetail metrics_detail = MetricsDetail::basic;
};

/// Where a member keeps what must outlive it. The workers are its own; the rest outlives it.
struct StoragePorts {
  port::Files& files;
  port::Engines& engines;
  std::unique_ptr<port::Worker> log_worker;
  std::unique_ptr<port::Worker> engine_worker;
};

/// All of them outlive the member.
struct MemberPorts {
  port::Loop& loop;
  std::optional<StoragePorts> storage;  ///< None: nothing is kept, and each start begins anew (--engine=memory).
  port::Network& network;
  port::TraceSink& trace;
  port::Supervisor& supervisor;
  port::Observer* observer = nullptr;
  /// If set, replies go here instead of to the gateway, for requests that were posted to inbox().
  port::ClientExecutor* clients = nullptr;
  /// If set, what is meant for other members goes here instead of to peer_link().
  port::PeerExecutor* peers = nullptr;
  /// If set, its figures stand among the metrics.
  const port::Process* process = nullptr;
};

/// Why a member cannot start, as a sentence for people.
struct BootError {
  std::string message;
};

class LocalMember final : private port::MemberFacts, private port::Task {
 public:
  /// Listens, recovers and serves once the loop turns.
  static Result<std::unique_ptr<LocalMember>, BootError> boot(const MemberOptions& options, MemberPorts ports);
  ~LocalMember() override;
  LocalMember(const LocalMember&) = delete;
  LocalMember& operator=(const LocalMember&) = delete;

  /// Takes nothing new, answers what is owed and says goodbye to the clients; then, after a second at most, runs
  /// `drained` once. To be called once.
  void drain(port::Task& drained);

  const Replica& replica() const { return host_.replica(); }
  /// For clients that need no gateway.
  port::Inbox& inbox() { return host_; }
  net::PeerLink& peer_link() { return *peers_.link; }

 private:
  /// Peers can be listened for before it is known who this member is; none is let in until then.
  struct PeerDoorway final : port::Acceptor {
    void on_accepted(std::unique_ptr<port::Connection> connection) override;
    std::unique_ptr<net::PeerLink> link;
  };

  LocalMember(const MemberOptions& options, MemberPorts ports);

  Status<BootError> listen(const std::vector<ListenAddress>& addresses, port::Acceptor& acceptor,
                           std::string_view flag);
  Status<BootError> recover(const MemberOptions& options);
  Result<storage::Recovery, BootError> recover_storage(const MemberOptions& options);
  Result<storage::Recovery, BootError> begin_anew(const MemberOptions& options);
  void announce(const MemberOptions& options, const Config& config, const storage::Recovery& recovery);

  bool has_leader() const override;
  bool is_learner() const override;
  std::vector<std::string> alarms() const override;
  port::Versions versions() const override;
  std::string metrics() const override;
  /// Looks whether all is drained.
  void run() override;

  MemberPorts ports_;
  const MetricsDetail metrics_detail_;
  MemberId id_;
  Host host_;
  PeerDoorway peers_;
  api::Gateway gateway_;
  std::vector<std::unique_ptr<port::Listener>> listeners_;  ///< All but those of clients.
  storage::LogMemory log_memory_;
  std::unique_ptr<storage::LogStore> log_store_;  ///< Null if nothing is kept, as the next.
  std::unique_ptr<storage::Checkpointer> checkpointer_;
  port::Task* drained_ = nullptr;
  Instant drained_by_;
};

}  // namespace metastore::server

#endif  // METASTORE_SERVER_MEMBER_H_

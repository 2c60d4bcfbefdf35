// A cluster of bare Rafts in memory, for tests: disks that hold writes back, a network of loose messages, virtual time.
// It decides nothing itself; whoever drives it says what is delivered, lost, written or crashed, and when. It checks
// after every step what no fault may break, by what members write and send rather than by what they keep.
#ifndef METASTORE_CORE_RAFT_CLUSTER_TEST_H_
#define METASTORE_CORE_RAFT_CLUSTER_TEST_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/raft/raft.h"

namespace metastore::raft {

/// What a member would find if it started again now.
struct Disk {
  HardState hard_state;
  Mark mark;
  std::vector<Entry> entries;  ///< From the mark on.

  LogIndex last_index() const { return mark.index.plus(entries.size()); }
  /// Null for what the mark stands for, and behind the end.
  const Entry* entry(LogIndex index) const;
  /// Whether an entry of that content stands there, or the mark stands for it.
  bool holds(const Entry& entry) const;
  void apply(const LogWrite& write);
};

struct Node {
  Config config;
  Disk durable;
  Disk written;                           ///< `durable` and the writes under way.
  std::deque<LogWrite> writes;            ///< Under way: not durable yet.
  std::unique_ptr<Raft> raft;             ///< Null while the member is down.
  std::map<MemberId, Mark> images;        ///< Opened for peers, neither whole there nor given up.
  std::optional<SnapshotOffer> offered;   ///< Whose image is on its way here.
  std::optional<LogWriteId> installs_at;  ///< The write behind which a staged image is swapped in.
  Term term;                              ///< What was last seen, to see that it never falls.
  LogIndex commit;
};

/// What a member is and knows, in a line.
std::string status_text(const Node& node);
/// A member's log in a row: a term for each entry; [ ] encloses what is committed as far as the member knows, and what
/// is not durable yet is in parentheses. `7|` is a mark that stands for what came before.
std::string log_text(const Node& node);

/// Oracles, each over all that has ever happened in the cluster (thesis figure 3.2).
class Oracle {
 public:
  /// Log matching: one (index, term) has one content and one predecessor. Append-only: no leader replaces its entries.
  void on_write(const Node& node, const LogWrite& write);
  /// Nothing leaves that claims what is not durable; one vote a term.
  void on_send(const Node& node, const Envelope& envelope);
  /// Election safety, leader completeness, state machine safety, and that nothing ever falls.
  void on_step(Node& node, const std::map<MemberId, Node>& nodes);
  /// The newest index that any member has known to be committed.
  LogIndex committed() const { return LogIndex(committed_.size()); }
  std::size_t terms_led() const { return leaders_.size(); }

 private:
  void on_committed(const Node& node, LogIndex index, const std::map<MemberId, Node>& nodes);

  std::map<std::pair<LogIndex, Term>, std::pair<Bytes, Term>> entries_;  ///< Content and the term before.
  std::map<Term, MemberId> leaders_;
  std::map<std::pair<MemberId, Term>, MemberId> votes_;
  std::vector<Entry> committed_;
  std::vector<Term> committed_in_;  ///< The term of the leader that knew it first.
};

class Cluster {
 public:
  /// Members 1 to `count` with empty disks, of which 1 to `voters` make the first configuration. `config` gives
  /// everything but id and seed.
  Cluster(std::uint64_t count, std::uint64_t voters, std::uint64_t seed, const Config& config);

  Instant now;
  std::map<MemberId, Node> nodes;
  std::vector<Envelope> network;  ///< Sent and neither delivered nor lost.
  std::vector<std::pair<MemberId, TraceLine>> trace;
  std::vector<std::pair<MemberId, ReadReady>> reads_ready;
  std::vector<std::pair<MemberId, std::uint64_t>> reads_failed;
  std::vector<std::pair<MemberId, LogWrite>> writes_begun;  ///< For transcripts.

  Node& node(MemberId id) { return nodes.at(id); }
  bool is_up(MemberId id) const { return nodes.at(id).raft != nullptr; }
  const Oracle& oracle() const { return oracle_; }

  void wake(MemberId id);
  /// A message to a member that is down vanishes.
  void deliver(const Envelope& envelope);
  /// The oldest `count` writes under way become durable.
  void write(MemberId id, std::size_t count);
  bool propose(MemberId id, std::string_view data);
  bool propose(MemberId id, EntryType type, Bytes data);
  bool read(MemberId id, std::uint64_t context);
  bool transfer(MemberId from, MemberId to);
  void unreachable(MemberId id, MemberId peer);
  /// The image that `from` opened for `to` has come whole, if it was offered there; otherwise it is given up.
  void end_image(MemberId from, MemberId to, bool is_whole);
  /// Of the writes under way the oldest `surviving` reach the disk all the same.
  void crash(MemberId id, std::size_t surviving);
  void restart(MemberId id);
  /// Gives a member that is down another disk.
  void replace_disk(MemberId id, Disk disk);
  /// Whether everybody who counts follows one leader, with one log that is committed and durable.
  bool is_settled(const std::set<MemberId>& except = {}) const;
  void check_invariants() const;

 private:
  void end_step(Node& node, Output& out);
  void open_image(Node& node, MemberId peer);

  ConfState conf_;
  Oracle oracle_;
  std::uint64_t images_ = 0;
  std::map<std::uint64_t, LogIndex> read_floor_;  ///< What a read must see, by context.
};

}  // namespace metastore::raft

#endif  // METASTORE_CORE_RAFT_CLUSTER_TEST_H_

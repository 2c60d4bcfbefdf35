// Runs testdata/*.txt: stories of small clusters. Time passes and messages travel only when a command says so; what a
// member tells about itself is the transcript. cluster_test.h checks safety after every step, the invariants are
// checked after every command, and every story ends with `converge`: none may leave a dead cluster behind.
#include "tests/script/script.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/proto/raft.pb.h"
#include "core/raft/cluster_test.h"

namespace metastore::raft {
namespace {

using Link = std::pair<MemberId, MemberId>;

MemberId member(const std::string& word) { return MemberId(std::stoull(word)); }

/// "1>2".
Link link(const std::string& word) { return {member(word), member(word.substr(word.find('>') + 1))}; }

/// "250ms" or "2s".
Duration duration(const std::string& word) {
  const std::int64_t number = std::stoll(word);
  return word.ends_with("ms") ? Duration::milliseconds(number) : Duration::seconds(number);
}

std::string field_text(const TraceField& field) {
  struct Visitor {
    std::string operator()(std::uint64_t value) { return std::to_string(value); }
    std::string operator()(std::int64_t value) { return std::to_string(value); }
    std::string operator()(const std::string& value) {
      return value.find(' ') == value.npos ? value : "(" + value + ")";
    }
  };
  return " " + std::string(field.key) + "=" + std::visit(Visitor{}, field.value);
}

class Story {
 public:
  std::string execute(const script::Command& command) {
    out_.clear();
    was_converged_ = command.verb == "converge";
    if (command.verb == "cluster") {
      begin(command);
    } else {
      REQUIRE_MESSAGE(cluster_ != nullptr, "a story begins with `cluster`");
      act(command);
    }
    tell();
    cluster_->check_invariants();
    return out_.empty() ? "ok" : out_;
  }

  bool was_converged() const { return was_converged_; }

 private:
  /// members=3 [voters=N] [seed=N] [pre_vote=0] [message_bytes=N] [window_bytes=N] [kept=N] [kept_bytes=N]
  /// [promotion_lag=N]
  void begin(const script::Command& command) {
    Config config;
    config.pre_vote = command.number("pre_vote", 1) != 0;
    Limits& limits = config.limits;
    limits.append_message_bytes_max = static_cast<std::uint64_t>(command.number("message_bytes", 1 << 20));
    limits.append_window_bytes_max = static_cast<std::uint64_t>(command.number("window_bytes", 1 << 23));
    limits.promotion_lag_entries_max = static_cast<std::uint64_t>(command.number("promotion_lag", 1000));
    limits.log_entries_kept = static_cast<std::uint64_t>(command.number("kept", 5000));
    limits.log_bytes_max = static_cast<std::uint64_t>(command.number("kept_bytes", 1 << 26));
    const std::int64_t members = command.number("members", 3);
    cluster_ = std::make_unique<Cluster>(static_cast<std::uint64_t>(members),
                                         static_cast<std::uint64_t>(command.number("voters", members)),
                                         static_cast<std::uint64_t>(command.number("seed", 1)), config);
    if (command.has("loud")) loudness_ = loud;
  }

  void act(const script::Command& command) {
    const std::map<std::string, void (Story::*)(const script::Command&)> verbs = {
        {"quiet", &Story::on_loudness},
        {"facts", &Story::on_loudness},
        {"loud", &Story::on_loudness},
        {"disk", &Story::on_disk},
        {"advance", &Story::on_advance},
        {"timeout", &Story::on_timeout},
        {"settle", &Story::on_settle},
        {"propose", &Story::on_propose},
        {"change", &Story::on_change},
        {"read", &Story::on_read},
        {"partition", &Story::on_partition},
        {"heal", &Story::on_heal},
        {"crash", &Story::on_crash},
        {"restart", &Story::on_restart},
        {"stall", &Story::on_stall},
        {"write", &Story::on_write},
        {"resume", &Story::on_stall},
        {"hold", &Story::on_hold},
        {"release", &Story::on_hold},
        {"held", &Story::on_held},
        {"deliver", &Story::on_deliver},
        {"transfer", &Story::on_transfer},
        {"unreachable", &Story::on_unreachable},
        {"image", &Story::on_image},
        {"peers", &Story::on_peers},
        {"drop", &Story::on_drop},
        {"duplicate", &Story::on_duplicate},
        {"reverse", &Story::on_reverse},
        {"status", &Story::on_status},
        {"logs", &Story::on_logs},
        {"converge", &Story::on_converge}};
    const auto verb = verbs.find(command.verb);
    REQUIRE_MESSAGE(verb != verbs.end(), "unknown verb " << command.verb);
    (this->*verb->second)(command);
  }

  void say(const std::string& line) { out_ += line + "\n"; }

  /// A line with the time: [   1.250s].
  void stamp(const std::string& line) {
    const std::int64_t ms = cluster_->now.nanoseconds() / 1'000'000;
    std::string time = std::to_string(ms / 1000) + "." + std::to_string(1000 + ms % 1000).substr(1) + "s";
    time.insert(0, 9 - std::min<std::size_t>(9, time.size()), ' ');
    say("[" + time + "] " + line);
  }

  /// A line of one member: [   1.250s] 2 > fact.
  void say(MemberId id, const std::string& line) { stamp(describe(id) + " > " + line); }

  /// Moves what the cluster has told since into the transcript.
  void tell() {
    for (const auto& [id, line] : std::exchange(cluster_->trace, {})) {
      if (loudness_ == quiet || (loudness_ == facts && line.level == TraceLevel::debug)) continue;
      std::string text(line.message);
      for (const TraceField& field : line.fields) text += field_text(field);
      say(id, text);
    }
    for (const auto& [id, write] : std::exchange(cluster_->writes_begun, {})) {
      if (loudness_ == loud) say(id, "write " + describe(write));
    }
    for (const auto& [id, ready] : std::exchange(cluster_->reads_ready, {})) {
      say(id, "read " + std::to_string(ready.context) + " is served at index " + std::to_string(ready.index.value()));
    }
    for (const auto& [id, context] : std::exchange(cluster_->reads_failed, {})) {
      say(id, "read " + std::to_string(context) + " fails");
    }
    for (const auto& [id, node] : cluster_->nodes) {
      if (loudness_ != quiet && node.commit > told_commit_[id]) {
        say(id, "commit " + std::to_string(told_commit_[id].value()) + " -> " + std::to_string(node.commit.value()));
      }
      told_commit_[id] = node.commit;
    }
  }

  void on_loudness(const script::Command& command) {
    loudness_ = command.verb == "quiet" ? quiet : command.verb == "loud" ? loud : facts;
  }

  bool is_cut(const Envelope& envelope) const {
    const Link both(envelope.from, envelope.to);
    return !groups_.empty() && std::none_of(groups_.begin(), groups_.end(), [&both](const std::set<MemberId>& group) {
      return group.contains(both.first) && group.contains(both.second);
    });
  }

  void deliver(const Envelope& envelope) {
    const bool is_lost = is_cut(envelope) || !cluster_->is_up(envelope.to);
    if (loudness_ == loud) stamp("         " + describe(envelope) + (is_lost ? "  (lost)" : ""));
    if (!is_lost) cluster_->deliver(envelope);
    tell();
  }

  /// Delivers and writes until nothing moves: no time passes, the network and free disks are instant.
  void settle() {
    for (bool was_busy = true; was_busy;) {
      tell();
      was_busy = false;
      for (std::size_t i = 0; i < cluster_->network.size();) {
        const Envelope envelope = cluster_->network[i];
        if (held_.contains({envelope.from, envelope.to})) {
          ++i;
          continue;
        }
        cluster_->network.erase(cluster_->network.begin() + static_cast<std::ptrdiff_t>(i));
        deliver(envelope);
        was_busy = true;
      }
      for (const auto& [id, node] : cluster_->nodes) {
        if (node.writes.empty() || stalled_.contains(id)) continue;
        cluster_->write(id, node.writes.size());
        was_busy = true;
      }
    }
  }

  void wake_due(Instant limit) {
    for (;;) {
      settle();
      Instant next = Instant::never();
      MemberId due;
      for (const auto& [id, node] : cluster_->nodes) {
        if (!cluster_->is_up(id) || node.raft->wake_at() >= next) continue;
        next = node.raft->wake_at();
        due = id;
      }
      if (next > limit) return;
      cluster_->now = std::max(cluster_->now, next);
      cluster_->wake(due);
    }
  }

  /// advance DURATION: lets time pass, timers fire and messages travel.
  void on_advance(const script::Command& command) {
    const Instant limit = cluster_->now + duration(command.word(0));
    wake_due(limit);
    cluster_->now = limit;
  }

  /// timeout MEMBER: jumps to its next deadline and wakes it alone; the others' clocks are late. Nothing travels.
  void on_timeout(const script::Command& command) {
    const MemberId id = member(command.word(0));
    cluster_->now = std::max(cluster_->now, cluster_->node(id).raft->wake_at());
    cluster_->wake(id);
  }

  void on_settle(const script::Command&) { settle(); }

  /// disk MEMBER terms=1,1,2 [term=T] [vote=M] [commit=I]: the member crashes and will come back with this log.
  void on_disk(const script::Command& command) {
    const MemberId id = member(command.word(0));
    if (cluster_->is_up(id)) cluster_->crash(id, 0);
    Disk disk;
    const std::string terms = command.value("terms");
    for (std::size_t at = 0; at < terms.size();
         at = terms.find(',', at) == terms.npos ? terms.size() : terms.find(',', at) + 1) {
      const Term term(std::stoull(terms.substr(at)));
      const LogIndex index = disk.last_index().next();
      const std::string data = std::to_string(index.value()) + "^" + std::to_string(term.value());
      disk.entries.push_back({term, index, EntryType::normal, Bytes::copy_of(data)});
    }
    const Term last = disk.entries.empty() ? Term() : disk.entries.back().term;
    disk.hard_state.term =
        Term(static_cast<std::uint64_t>(command.number("term", static_cast<std::int64_t>(last.value()))));
    disk.hard_state.vote = MemberId(static_cast<std::uint64_t>(command.number("vote")));
    disk.hard_state.commit = LogIndex(static_cast<std::uint64_t>(command.number("commit")));
    cluster_->replace_disk(id, std::move(disk));
  }

  /// propose MEMBER [times=N]: entries of the proposer's term. Nothing travels yet.
  void on_propose(const script::Command& command) {
    const MemberId id = member(command.word(0));
    for (std::int64_t i = 0; i < command.number("times", 1); ++i) {
      if (!cluster_->propose(id, "entry " + std::to_string(++proposals_))) return say(id, "refuses");
    }
    say(id, "appends up to " + std::to_string(cluster_->node(id).raft->last_index().value()));
  }

  /// change MEMBER add=M | remove=M | learner=M ...: one change is simple, several are joint.
  void on_change(const script::Command& command) {
    raftpb::ConfChangeV2 change;
    for (const std::string& word : command.words) {
      const std::map<std::string, raftpb::ConfChangeType> types = {{"add", raftpb::ConfChangeAddNode},
                                                                   {"remove", raftpb::ConfChangeRemoveNode},
                                                                   {"learner", raftpb::ConfChangeAddLearnerNode}};
      const auto type = types.find(word.substr(0, word.find('=')));
      if (type == types.end()) continue;
      raftpb::ConfChangeSingle& single = *change.add_changes();
      single.set_type(type->second);
      single.set_node_id(std::stoull(word.substr(word.find('=') + 1)));
    }
    const MemberId id = member(command.word(0));
    if (!cluster_->propose(id, EntryType::conf_change_v2, Bytes::copy_of(change.SerializeAsString()))) {
      say(id, "refuses the change");
    }
  }

  void on_read(const script::Command& command) {
    const MemberId id = member(command.word(0));
    ++reads_;
    if (!cluster_->read(id, reads_)) say(id, "refuses: no leader is known");
    tell();
    if (out_.empty()) say("read " + std::to_string(reads_) + " waits");
  }

  /// partition 1 2 | 3: messages travel only within a group.
  void on_partition(const script::Command& command) {
    groups_.assign(1, {});
    for (const std::string& word : command.words) {
      if (word == "|") {
        groups_.emplace_back();
      } else {
        groups_.back().insert(member(word));
      }
    }
  }

  /// transfer A>B
  void on_transfer(const script::Command& command) {
    const auto [from, to] = link(command.word(0));
    if (!cluster_->transfer(from, to)) say(from, "refuses to hand over");
  }

  /// unreachable A>B: A's connection to B was refused or reset.
  void on_unreachable(const script::Command& command) {
    const auto [id, peer] = link(command.word(0));
    cluster_->unreachable(id, peer);
  }

  /// image A>B [lost=1]: the image that A opened for B has come whole, or its stream has ended without that.
  void on_image(const script::Command& command) {
    const auto [from, to] = link(command.word(0));
    REQUIRE_MESSAGE(cluster_->node(from).images.contains(to), "no image is under way");
    cluster_->end_image(from, to, command.number("lost") == 0);
  }

  /// peers MEMBER: what it knows of the others as their leader.
  void on_peers(const script::Command& command) {
    const MemberId id = member(command.word(0));
    for (const PeerStatus& peer : cluster_->node(id).raft->peers()) {
      say(describe(peer.id) + " match=" + std::to_string(peer.match_index.value()) +
          " next=" + std::to_string(peer.next_index.value()) + (peer.is_snapshotted ? " snapshot" : "") +
          (peer.is_caught_up ? " caught up" : ""));
    }
  }

  void on_heal(const script::Command&) { groups_.clear(); }

  /// crash MEMBER... [written=N]: of its writes under way the oldest N reach the disk.
  void on_crash(const script::Command& command) {
    for (const std::string& word : command.words) {
      if (word.find('=') != word.npos) continue;
      cluster_->crash(member(word), static_cast<std::size_t>(command.number("written")));
      told_commit_[member(word)] = LogIndex();
    }
  }

  void on_restart(const script::Command& command) {
    for (const std::string& word : command.words) cluster_->restart(member(word));
  }

  /// stall MEMBER..., resume MEMBER...: whether its disk finishes writes on its own.
  void on_stall(const script::Command& command) {
    for (const std::string& word : command.words) {
      if (command.verb == "stall") {
        stalled_.insert(member(word));
      } else {
        stalled_.erase(member(word));
      }
    }
  }

  /// write MEMBER [count=N]: the oldest writes of a stalled disk become durable.
  void on_write(const script::Command& command) {
    const MemberId id = member(command.word(0));
    const std::size_t under_way = cluster_->node(id).writes.size();
    if (under_way == 0) return say(id, "has nothing to write");
    cluster_->write(id, static_cast<std::size_t>(command.number("count", static_cast<std::int64_t>(under_way))));
  }

  /// hold A>B...: messages of that link stay in the network until they are delivered, dropped or released.
  void on_hold(const script::Command& command) {
    for (const std::string& word : command.words) {
      if (command.verb == "hold") {
        held_.insert(link(word));
      } else {
        held_.erase(link(word));
      }
    }
  }

  static constexpr std::int64_t all = 1'000'000;

  /// The oldest `count` messages of one link.
  std::vector<Envelope> take(const Link& which, std::int64_t count = all) {
    std::vector<Envelope> taken;
    std::erase_if(cluster_->network, [&](const Envelope& envelope) {
      if (Link(envelope.from, envelope.to) != which || static_cast<std::int64_t>(taken.size()) == count) return false;
      taken.push_back(envelope);
      return true;
    });
    return taken;
  }

  void on_held(const script::Command&) {
    for (const Envelope& envelope : cluster_->network) say(describe(envelope));
    if (out_.empty()) say("nothing");
  }

  /// deliver A>B [count=N]: what is held on the link, the oldest first, and nothing that follows from it.
  void on_deliver(const script::Command& command) {
    for (const Envelope& envelope : take(link(command.word(0)), command.number("count", all))) deliver(envelope);
  }

  /// drop A>B [count=N]
  void on_drop(const script::Command& command) {
    for (const Envelope& envelope : take(link(command.word(0)), command.number("count", all))) {
      if (loudness_ != quiet) say(describe(envelope) + "  (lost)");
    }
  }

  void on_duplicate(const script::Command& command) {
    const std::vector<Envelope> taken = take(link(command.word(0)));
    for (int copy = 0; copy < 2; ++copy) {
      cluster_->network.insert(cluster_->network.end(), taken.begin(), taken.end());
    }
  }

  void on_reverse(const script::Command& command) {
    const std::vector<Envelope> taken = take(link(command.word(0)));
    cluster_->network.insert(cluster_->network.end(), taken.rbegin(), taken.rend());
  }

  void on_status(const script::Command&) {
    for (const auto& [id, node] : cluster_->nodes) say(status_text(node));
  }

  void on_logs(const script::Command&) {
    for (const auto& [id, node] : cluster_->nodes) say(log_text(node));
  }

  /// converge [except=M]: ends all faults and waits until everybody follows one leader with one log.
  void on_converge(const script::Command& command) {
    std::set<MemberId> except;
    if (command.has("except")) except.insert(member(command.value("except")));
    held_.clear();
    groups_.clear();
    stalled_.clear();
    for (const auto& [id, node] : cluster_->nodes) {
      if (!cluster_->is_up(id)) cluster_->restart(id);
    }
    const Instant limit = cluster_->now + Duration::seconds(20);
    settle();
    while (!cluster_->is_settled(except)) {
      end_images(except);
      REQUIRE_MESSAGE(cluster_->now < limit, "the story leaves a dead cluster behind");
      wake_due(cluster_->now + Duration::milliseconds(10));
      cluster_->now = cluster_->now + Duration::milliseconds(10);
    }
    tell();
    const auto leads = [](const auto& node) { return node.second.raft->role() == Role::leader; };
    const Raft& raft = *std::find_if(cluster_->nodes.begin(), cluster_->nodes.end(), leads)->second.raft;
    say("all follow " + describe(raft.leader()) + " in term " + std::to_string(raft.term().value()) +
        " with one log up to " + std::to_string(raft.last_index().value()));
  }

  void end_images(const std::set<MemberId>& except) {
    for (const auto& [from, node] : cluster_->nodes) {
      for (const auto& [to, mark] : std::map<MemberId, Mark>(node.images)) {
        if (!except.contains(to)) cluster_->end_image(from, to, true);
      }
    }
    settle();
  }

  enum Loudness { quiet, facts, loud };

  std::unique_ptr<Cluster> cluster_;
  std::string out_;
  Loudness loudness_ = facts;
  std::map<MemberId, LogIndex> told_commit_;
  std::vector<std::set<MemberId>> groups_;
  std::set<Link> held_;
  std::set<MemberId> stalled_;
  std::uint64_t proposals_ = 0;
  std::uint64_t reads_ = 0;
  bool was_converged_ = false;
};

TEST_CASE("the stories of small clusters go as they are told") {
  for (const std::string& path : script::files(METASTORE_TESTDATA)) {
    CAPTURE(path);
    Story story;
    script::run(path, [&story](const script::Command& command) { return story.execute(command); });
    CHECK_MESSAGE(story.was_converged(), path << ": a story ends with `converge`");
  }
}

}  // namespace
}  // namespace metastore::raft

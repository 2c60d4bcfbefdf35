// The peer port: takes connections, hears who calls, lets members in and refuses everybody else with a sentence. On it
// peers speak and we only answer. Anybody may call here, so nothing is trusted before the hello: a stranger gets little
// memory, little time, and a line in the log once a minute for all strangers together.
#ifndef METASTORE_NET_PEER_DOOR_H_
#define METASTORE_NET_PEER_DOOR_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/host/port/loop.h"
#include "core/host/port/network.h"
#include "net/peer_channel.h"
#include "net/peer_codec.h"
#include "net/peer_frame.h"

namespace metastore::net {

/// Decides what is worth a line: the same refusal of the same member once, until it was let in; of those who are no
/// members one a minute, and none twice.
class RefusalLog {
 public:
  /// How many refusals were not told since the last that was; none if this one is not told either.
  std::optional<std::uint64_t> tell(Instant now, MemberId from, bool is_member, RefusalReason reason);
  void forget(MemberId from);

 private:
  static constexpr std::size_t remembered_max = 64;

  std::set<std::pair<MemberId, RefusalReason>> told_;
  Instant next_ = Instant::from_nanoseconds(0);
  std::uint64_t untold_ = 0;
};

class PeerDoor final : public port::Acceptor, private port::Task {
 public:
  explicit PeerDoor(PeerSurroundings& around);
  ~PeerDoor();
  PeerDoor(const PeerDoor&) = delete;
  PeerDoor& operator=(const PeerDoor&) = delete;

  void on_accepted(std::unique_ptr<port::Connection> connection) override;
  /// Who is not among them any more is refused, though it was let in.
  void set_peers(const std::vector<Peer>& peers);

 private:
  class Visitor;
  friend class Visitor;

  /// None: it may come in.
  std::optional<Refusal> judge(const Hello& hello) const;
  void admit(Visitor& visitor, const Hello& hello);
  Roster roster() const;
  void on_refused(MemberId from, std::string_view address, const Refusal& refusal);
  /// A visitor has ended; it is cleared away in a turn of its own.
  void clear_soon() { around_.ports.loop.run_soon(*this); }
  void run() override;

  PeerSurroundings& around_;
  std::map<MemberId, Peer> peers_;
  std::map<MemberId, std::uint64_t> incarnations_;  ///< The newest that was let in, of members alone.
  RefusalLog refusals_;
  std::vector<std::unique_ptr<Visitor>> visitors_;
};

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_DOOR_H_

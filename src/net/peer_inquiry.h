// Asks others who the members of their cluster are, before this member has a part in it: whoever joins must know the
// cluster, itself in it and whom to talk to. All are asked at once, each time anew after a pause; the first answer
// that helps counts. It believes what it is told, as every start does that trusts its flags.
#ifndef METASTORE_NET_PEER_INQUIRY_H_
#define METASTORE_NET_PEER_INQUIRY_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/host/port/loop.h"
#include "core/host/port/network.h"
#include "net/peer_codec.h"

namespace metastore::net {

class PeerInquiry final : private port::Task {
 public:
  struct Subject {
    std::vector<std::string> urls;    ///< Whom to ask.
    std::vector<std::string> wanted;  ///< Peer URLs, sorted: an answer helps if it has somebody with exactly these.
    Duration patience;                ///< It ends without such an answer after so long,
    bool asks_again = true;           ///< and at once when everybody has failed if it does not.
  };

  /// Begins at once, and runs `done` once when it has ended. Both ports and `done` outlive it.
  PeerInquiry(port::Loop& loop, port::Network& network, Subject subject, port::Task& done);
  ~PeerInquiry();
  PeerInquiry(const PeerInquiry&) = delete;
  PeerInquiry& operator=(const PeerInquiry&) = delete;

  /// The newest answer, whoever gave it among `peers` with the URL that was asked; none if nobody did.
  const std::optional<Roster>& roster() const { return roster_; }
  bool has_ended() const { return has_ended_; }

 private:
  class Question;
  friend class Question;

  void ask();
  void on_answered(Roster roster, const std::string& url);
  void on_failed();
  bool is_helpful() const;
  void end();
  void run() override;

  port::Loop& loop_;
  port::Network& network_;
  const Subject subject_;
  const Instant ends_at_;
  port::Task& done_;
  std::vector<std::unique_ptr<Question>> questions_;
  std::size_t open_ = 0;
  bool has_ended_ = false;
  std::optional<Roster> roster_;
};

}  // namespace metastore::net

#endif  // METASTORE_NET_PEER_INQUIRY_H_

// The way between members, in whole messages: late, out of order, twice, or never, and cut by partitions. It is more
// wicked than connections are, which lose nothing in the middle and keep the order; the replica must bear it.
// It must never change a message.
#ifndef METASTORE_SIM_POST_H_
#define METASTORE_SIM_POST_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "core/base/prng.h"
#include "core/host/port/executors.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace metastore::sim {

struct PostCounts {
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t late = 0;
  std::uint64_t cut = 0;
};

class Post {
 public:
  Post(World& world, const Plan& plan);
  ~Post();
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  /// The end of one member, which outlives its process.
  std::unique_ptr<port::PeerExecutor> box(MemberId owner);
  void open(MemberId member, port::Inbox& inbox);
  void close(MemberId member);

  /// Nothing goes from one to the other until it is mended.
  void cut(MemberId from, MemberId to) { cuts_.emplace(from, to); }
  void mend();
  /// Nothing is lost, repeated or late any more.
  void heal();

  const PostCounts& counts() const { return counts_; }

 private:
  class Box;
  class Delivery;

  void send(raft::Envelope envelope);
  /// A member hears of another after the way between them.
  void tell(MemberId from, MemberId to, Event event, Duration delay);
  void arrive(std::uint64_t delivery);
  bool is_cut(MemberId from, MemberId to) const { return cuts_.contains({from, to}); }

  World& world_;
  PostFaults faults_;
  Prng prng_;
  PostCounts counts_;
  std::map<MemberId, port::Inbox*> inboxes_;
  std::set<std::pair<MemberId, MemberId>> cuts_;
  std::map<std::uint64_t, std::unique_ptr<Delivery>> deliveries_;
  std::uint64_t next_delivery_ = 1;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_POST_H_

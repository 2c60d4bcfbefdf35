// Everything that a seed decides before its run begins, as data: sizes, limits, rates of faults, mix of requests. It is
// printed with each run, so that a reader sees what a seed tests; what is drawn later comes from streams of their own.
// Whole classes of faults are off in some seeds: a bug that needs calm is hidden by noise.
#ifndef METASTORE_SIM_PLAN_H_
#define METASTORE_SIM_PLAN_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/limits.h"
#include "core/base/prng.h"
#include "core/base/time.h"
#include "sim/file_image.h"
#include "sim/loop_sim.h"
#include "sim/network_sim.h"

namespace metastore::sim {

/// What the nemesis does to a member.
enum class Fault : std::uint8_t {
  power_at_operation,  ///< The power goes during a file operation that is a drawn number away.
  power_now,           ///< The power goes between two operations.
  kill,                ///< The process dies; what it wrote stays with the operating system.
  restart,             ///< It is asked to stop, and started again once it has.
  sync_error,          ///< A sync fails, a drawn number of file operations away.
  write_error,         ///< A write does.
  disk_full,           ///< The disk is full from such an operation on.
  pause,               ///< The process does nothing for up to some election timeouts, and then goes on.
  clock_jump,          ///< Its people set its wall clock forward or back.
};
inline constexpr std::size_t fault_kinds = 9;

enum class Kind : std::uint8_t {
  put,
  get,
  list,
  remove,
  txn,
  compact,
  malformed,
  grant,
  revoke,
  time_to_live,
  leases,
  hash_kv,
};
inline constexpr std::size_t kinds = 12;

/// How the network between members is cut.
enum class Cut : std::uint8_t {
  isolation,  ///< One member from all others.
  halves,     ///< Some from the others.
  deaf,       ///< One hears nobody, and is heard.
  mute,       ///< One is heard by nobody, and hears.
  pair,       ///< Two from each other.
  bridge,     ///< Two groups, which one member still connects.
  swizzle,    ///< One after another from all others, and back in another order.
};
inline constexpr std::size_t cut_kinds = 7;

/// What befalls a cluster as a whole, or whoever leads it.
enum class Disaster : std::uint8_t {
  outage,         ///< The power goes for a majority at once.
  blackout,       ///< It goes for all.
  leader_dies,    ///< Its process is killed.
  leader_stalls,  ///< Its disk takes longer than an election.
  empty_disk,     ///< A member starts on an empty disk, and gets its own back later. It must not be let in meanwhile.
  leader_pauses,  ///< Its process does nothing for longer than an election, mostly.
};
inline constexpr std::size_t disaster_kinds = 6;

/// How a member stays broken once the faults have ended for a quorum of the others.
enum class Rest : std::uint8_t {
  down,     ///< Its machine is off, or its process is not started.
  cut_off,  ///< It runs, and nobody hears of it.
  disk,     ///< Its disk fails again and again, whenever it has been started.
  paused,   ///< Its process is there, and does nothing.
};
inline constexpr std::size_t rest_kinds = 4;

/// What happens to whole messages between members, before they are on their way.
struct MessageFaults {
  std::uint32_t lost_permille = 0;
  std::uint32_t repeated_permille = 0;
  std::uint32_t late_permille = 0;  ///< Late by up to `late_max`, as is what is repeated.
  Duration late_max;
};

/// What members say to each other, and the ways between them.
struct PeerFaults {
  NetworkFaults network;
  MessageFaults messages;
  std::array<std::uint32_t, cut_kinds> cut_weights = {};  ///< All zero: never cut.
  Duration cut_interval_max;
  Duration cut_max;
};

struct Plan {
  std::uint64_t seed = 0;
  std::uint64_t members = 1;
  std::uint64_t newcomers = 0;       ///< Machines that stand by: whoever is added to the cluster starts on one.
  std::uint64_t member_changes = 0;  ///< Additions, promotions and removals that the operator asks for.
  Duration member_change_interval_max;
  /// Until the end nobody acts but by the deeds of a scenario: what is drawn is the noise between them. Not drawn.
  bool is_scripted = false;

  std::uint64_t operations = 0;  ///< Asked by all clients together.
  std::uint64_t clients = 0;
  std::uint64_t watchers = 0;
  std::uint64_t keepers = 0;      ///< Clients that keep leases alive.
  std::uint64_t contenders = 0;   ///< Clients that take locks and are elected.
  std::uint64_t successions = 0;  ///< Times that somebody is asked to let another member lead.
  Duration succession_interval_max;
  std::uint64_t schisms = 0;  ///< Times that the leader is cut off, and another one beside it asked for.
  Duration schism_interval_max;
  std::uint64_t inheritances = 0;  ///< Members that are to lead before the snapshot that they take is in their engine.
  Duration hold_max;               ///< How long such a client holds what it got.
  bool writes_on = false;          ///< When the faults have ended, until nobody lags behind any more.
  bool is_over_http2 = false;      ///< Requests travel as HTTP/2 bytes over simulated sockets.
  Duration think_max;              ///< A client pauses 0 to this long between two requests.
  Duration reading_pause_max;      ///< So long half of those who read a long answer leave each part of it lying.
  Duration patience_min;           ///< A request's deadline.
  Duration patience_max;

  std::uint64_t keys = 0;
  std::uint64_t value_bytes_max = 0;
  std::array<std::uint32_t, kinds> mix = {};
  std::uint32_t historical_percent = 0;
  std::uint32_t serializable_percent = 0;
  std::uint32_t leased_percent = 0;  ///< Puts that hang their key on a lease.
  std::int64_t ttl_seconds_max = 0;  ///< Of most leases; some are granted for much longer than a run lasts.

  Limits limits;
  std::int64_t quota_bytes = -1;  ///< Negative: none.
  bool makes_room = false;        ///< Whoever is told that there is no room deletes, compacts, defragments, disarms.
  std::uint32_t traffic_percent = 0;  ///< Of what is asked, as Kubernetes asks (traffic.h).
  Duration traffic_compaction_interval;
  Duration retention_period;              ///< What automatic compaction leaves; zero: it is off, or counts the next.
  std::uint64_t retention_revisions = 0;  ///< The same in revisions.
  Duration heartbeat_interval;
  Duration election_timeout;
  std::uint32_t clock_pace_ppm = 0;  ///< How much faster or slower than another one a member's clock may be.
  Duration checkpoint_interval;
  Duration watch_progress_interval;

  WorkerLatency disk;
  NetworkFaults network;
  PeerFaults peers;

  std::array<std::uint32_t, fault_kinds> fault_weights = {};  ///< All zero: a calm seed.
  CrashWeights crash_weights = {};
  std::uint64_t faults_max = 0;  ///< Boots replay the whole log: more of them cost more than they find.
  Duration fault_interval_max;
  Duration down_max;
  std::uint64_t operations_ahead_max = 0;  ///< For Fault::power_at_operation.
  std::uint32_t boot_crash_percent = 0;    ///< Boots during which the power goes again.
  std::uint64_t boot_operations_ahead_max = 0;
  std::uint32_t flip_percent = 0;         ///< Boots that find a bit of some file turned over.
  std::uint32_t reconfigure_percent = 0;  ///< Boots with another configuration than the plan's.
  std::uint32_t misplaced_percent = 0;    ///< Boots that find a piece of a file in another place, too.
  std::array<std::uint32_t, disaster_kinds> disaster_weights = {};  ///< All zero: none.
  std::uint64_t disasters_max = 0;
  Duration disaster_interval_max;
  std::uint64_t relapses = 0;  ///< Disks that are lost while their members are alone with those who lack what they had.

  /// How those stay broken of whom a quorum has no need, until that has served everybody. All zero: nobody does.
  std::array<std::uint32_t, rest_kinds> rest_weights = {};

  /// For tests that try every operation: the power goes at the first boot's so manieth file operation, at the second
  /// boot's so manieth, and so on. Not drawn.
  std::vector<std::uint64_t> crash_operations;

  /// Those of contenders, and of whoever moves leadership, are the last of all clients and keepers.
  std::uint64_t all_clients() const { return clients + contenders + (successions > 0 ? 1 : 0); }
  std::uint64_t all_keepers() const { return keepers + contenders + (successions > 0 ? 1 : 0); }
  std::uint64_t machines() const { return members + newcomers; }
  bool is_calm() const { return fault_weights == std::array<std::uint32_t, fault_kinds>{}; }
};

/// What members may differ in.
struct MemberSettings {
  Limits limits;
  Duration heartbeat_interval;
  Duration election_timeout;
  Duration checkpoint_interval;
};
/// 0: as the plan says; else what is drawn for this number.
MemberSettings settings_of(const Plan& plan, std::uint64_t configuration);
/// No member's election timeout is longer.
Duration election_timeout_max(const Plan& plan);
/// The shortest time to live that a lease has: one and a half election timeouts, in whole seconds.
std::int64_t shortest_ttl_seconds(Duration election_timeout);

/// Everything that the seed decides, the number of members too, unless that is given.
Plan draw_plan(std::uint64_t seed, std::uint64_t members = 0);

/// How long a pause lasts: mostly longer than it takes to elect another leader.
Duration draw_pause(const Plan& plan, Prng& prng);
/// Never a moment at which members do something by their own clocks: who is first then is nobody's decision.
Duration draw_odd_pause(Prng& prng, Duration shortest, Duration longest);
/// The numbers of all machines, in any order.
std::vector<std::uint64_t> draw_order(const Plan& plan, Prng& prng);
/// The fixed profile that speed is measured with: three members, every class of faults, and questions without end.
Plan speed_plan();
/// The same, but nothing fails, and limits are as users have them.
Plan without_faults(Plan plan);
/// How a stream of draws that each member has is called: the first one's as it was when there was but one.
std::string numbered(std::string_view name, std::uint64_t number);
/// One "name=value" a line, of which read_plan() makes the same plan again.
std::string describe(const Plan& plan);
/// Lets such lines, of which any may be missing, rule over what `plan` says. "", or what is wrong with them.
std::string read_plan(std::string_view lines, Plan& plan);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_PLAN_H_

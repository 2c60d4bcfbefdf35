#include "sim/deed.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/base/overloaded.h"
#include "sim/request_text.h"
#include "sim/words.h"

namespace metastore::sim {
namespace {

/// In the order of DiskFault.
constexpr std::array<std::string_view, 4> disk_faults = {"none", "sync", "write", "full"};
/// In the order of ChangeMembers::Kind.
constexpr std::array<std::string_view, 5> member_changes = {"add_member", "add_learner", "promote", "update_member",
                                                            "remove_member"};

std::string named(std::string_view name, std::uint64_t number) {
  return " " + std::string(name) + "=" + std::to_string(number);
}
std::string flag(std::string_view name, bool is_set) { return is_set ? " " + std::string(name) : ""; }

struct Writer {
  std::string operator()(const Ask& ask) const {
    return request_text(ask.request) + named("client", ask.client) + named("member", ask.member) +
           " within=" + duration_text(ask.patience);
  }
  std::string operator()(const Boot& boot) const {
    std::string out = "boot" + named("member", boot.member);
    if (boot.power_off_after > 0) out += named("power_off_after", boot.power_off_after);
    if (boot.flip) {
      out +=
          " flip=" + quoted_word(boot.flip->path) + named("offset", boot.flip->offset) + named("bit", boot.flip->bit);
    }
    if (boot.misplaced) {
      const Misplaced& piece = *boot.misplaced;
      out += " misplaced=" + quoted_word(piece.path) + named("from", piece.offset) + named("bytes", piece.bytes) +
             " onto=" + quoted_word(piece.onto) + named("at", piece.onto_offset);
    }
    if (boot.configuration > 0) out += named("configuration", boot.configuration);
    return out;
  }
  std::string operator()(const PowerOff& off) const {
    return "power_off" + named("member", off.member) + (off.after > 0 ? named("after", off.after) : "");
  }
  std::string operator()(const Kill& kill) const { return "kill" + named("member", kill.member); }
  std::string operator()(const Stop& stop) const { return "stop" + named("member", stop.member); }
  std::string operator()(const BreakDisk& disk) const {
    return "break_disk" + named("member", disk.member) +
           " fault=" + std::string(disk_faults[static_cast<std::size_t>(disk.fault)]) + named("after", disk.after);
  }
  std::string operator()(const SwapDisk& swap) const { return "swap_disk" + named("member", swap.member); }
  std::string operator()(const StallDisk& stall) const {
    return "stall_disk" + named("member", stall.member) + " longer=" + duration_text(stall.longer) +
           flag("engine", stall.is_engine);
  }
  std::string operator()(const Pause& pause) const {
    return "pause" + named("member", pause.member) + " length=" + duration_text(pause.length);
  }
  std::string operator()(const JumpClock& jump) const {
    return "jump_clock" + named("member", jump.member) + " forward=" + duration_text(jump.forward) +
           " back=" + duration_text(jump.back);
  }
  std::string operator()(const ChangeMembers& change) const {
    return std::string(member_changes[static_cast<std::size_t>(change.kind)]) + named("target", change.target) +
           named("member", change.member);
  }
  std::string operator()(const MoveLeader& move) const {
    return "move_leader" + named("target", move.target) + named("member", move.member);
  }
  std::string operator()(const Flood& flood) const {
    return "flood" + named("requests", flood.requests) + named("member", flood.member);
  }
  std::string operator()(const Admit& admit) const { return "admit" + named("member", admit.member); }
  std::string operator()(const CutLinks& cut) const {
    std::string out = "cut";
    for (const auto& [from, to] : cut.links) out += " " + std::to_string(from) + ">" + std::to_string(to);
    return out;
  }
  std::string operator()(const Mend&) const { return "mend"; }
  std::string operator()(const OpenStream& open) const {
    return "open_stream" + named("watcher", open.watcher) + named("member", open.member) +
           flag("eager", open.is_eager) + flag("require_leader", open.requires_leader);
  }
  std::string operator()(const AddWatch& watch) const {
    std::string out = "watch " + keys_text(watch.keys) + named("watcher", watch.watcher);
    if (watch.start != 0) out += " start=" + std::to_string(watch.start);
    if (watch.id != 0) out += " id=" + std::to_string(watch.id);
    return out + flag("prev_kv", watch.wants_previous) + flag("no_puts", watch.without_puts) +
           flag("no_deletes", watch.without_deletes) + flag("fragments", watch.wants_fragments) +
           flag("progress", watch.wants_progress);
  }
  std::string operator()(const CancelWatch& cancel) const { return "cancel_watch" + named("watcher", cancel.watcher); }
  std::string operator()(const AskProgress& ask) const { return "ask_progress" + named("watcher", ask.watcher); }
  std::string operator()(const ReadStream& read) const {
    return (read.wants_more ? "read_stream" : "pause_stream") + named("watcher", read.watcher);
  }
  std::string operator()(const CloseStream& close) const { return "close_stream" + named("watcher", close.watcher); }
  std::string operator()(const Renew& renew) const {
    return "renew " + std::to_string(renew.lease) + named("keeper", renew.keeper) + named("member", renew.member) +
           flag("require_leader", renew.requires_leader);
  }
  std::string operator()(const CloseKeeper& close) const { return "close_keeper" + named("keeper", close.keeper); }
};

std::optional<DeedKind> parse_ask(WordReader& words) {
  Ask ask;
  ask.client = words.take_count("client", 1);
  ask.member = words.take_count("member", 1);
  ask.patience = words.take_duration("within", Duration::seconds(5));
  auto request = parse_request(words);
  if (!request) return std::nullopt;
  ask.request = std::move(*request);
  return ask;
}

std::optional<DeedKind> parse_boot(WordReader& words) {
  Boot boot{
      .member = words.take_count("member", 1), .power_off_after = words.take_count("power_off_after", 0), .flip = {}};
  if (const auto path = words.take_value("flip")) {
    boot.flip = Flip{*path, words.take_count("offset", 0), static_cast<unsigned>(words.take_count("bit", 0) & 7)};
  }
  if (const auto path = words.take_value("misplaced")) {
    boot.misplaced = Misplaced{.path = *path,
                               .offset = words.take_count("from", 0),
                               .bytes = words.take_count("bytes", 512),
                               .onto = words.take_value("onto").value_or(*path),
                               .onto_offset = words.take_count("at", 0)};
  }
  boot.configuration = words.take_count("configuration", 0);
  return boot;
}

std::optional<DeedKind> parse_break(WordReader& words) {
  const std::string fault = words.take_value("fault").value_or("");
  for (std::size_t i = 1; i < disk_faults.size(); ++i) {
    if (fault != disk_faults[i]) continue;
    return BreakDisk{words.take_count("member", 1), static_cast<DiskFault>(i), words.take_count("after", 1)};
  }
  return std::nullopt;
}

std::optional<DeedKind> parse_cut(WordReader& words) {
  CutLinks cut;
  while (!words.is_empty()) {
    const std::string link = words.take();
    const std::size_t arrow = link.find('>');
    if (arrow == std::string::npos) return std::nullopt;
    const auto from = parse_count(link.substr(0, arrow));
    const auto to = parse_count(link.substr(arrow + 1));
    if (!from || !to || *from == *to) return std::nullopt;
    cut.links.emplace_back(*from, *to);
  }
  return cut;
}

std::optional<DeedKind> parse_watch(WordReader& words) {
  AddWatch watch;
  watch.watcher = words.take_count("watcher", 1);
  watch.start = words.take_number("start", 0);
  watch.id = words.take_number("id", 0);
  watch.wants_previous = words.take_flag("prev_kv");
  watch.without_puts = words.take_flag("no_puts");
  watch.without_deletes = words.take_flag("no_deletes");
  watch.wants_fragments = words.take_flag("fragments");
  watch.wants_progress = words.take_flag("progress");
  watch.keys = take_keys(words);
  return watch;
}

std::optional<DeedKind> parse_renew(WordReader& words) {
  const auto lease = parse_integer(words.take());
  if (!lease) return std::nullopt;
  return Renew{words.take_count("keeper", 1), words.take_count("member", 1), *lease, words.take_flag("require_leader")};
}

std::optional<DeedKind> parse_with(const std::string& verb, WordReader& words) {
  if (verb == "boot") return parse_boot(words);
  if (verb == "power_off") return PowerOff{words.take_count("member", 1), words.take_count("after", 0)};
  if (verb == "kill") return Kill{words.take_count("member", 1)};
  if (verb == "stop") return Stop{words.take_count("member", 1)};
  if (verb == "break_disk") return parse_break(words);
  if (verb == "swap_disk") return SwapDisk{words.take_count("member", 1)};
  if (verb == "stall_disk") {
    return StallDisk{words.take_count("member", 1), words.take_duration("longer", Duration::seconds(1)),
                     words.take_flag("engine")};
  }
  if (verb == "pause") {
    return Pause{words.take_count("member", 1), words.take_duration("length", Duration::seconds(1))};
  }
  if (verb == "jump_clock") {
    return JumpClock{words.take_count("member", 1), words.take_duration("forward", Duration()),
                     words.take_duration("back", Duration())};
  }
  if (const auto change = std::find(member_changes.begin(), member_changes.end(), verb);
      change != member_changes.end()) {
    const auto kind = static_cast<ChangeMembers::Kind>(change - member_changes.begin());
    const std::uint64_t target = words.take_count("target", 1);
    return ChangeMembers{words.take_count("member", 1), kind, target};
  }
  if (verb == "move_leader") return MoveLeader{words.take_count("member", 1), words.take_count("target", 1)};
  if (verb == "flood") return Flood{words.take_count("member", 1), words.take_count("requests", 1)};
  if (verb == "admit") return Admit{words.take_count("member", 1)};
  if (verb == "cut") return parse_cut(words);
  if (verb == "mend") return Mend{};
  if (verb == "open_stream") {
    return OpenStream{words.take_count("watcher", 1), words.take_count("member", 1), words.take_flag("eager"),
                      words.take_flag("require_leader")};
  }
  if (verb == "watch") return parse_watch(words);
  if (verb == "cancel_watch") return CancelWatch{words.take_count("watcher", 1)};
  if (verb == "ask_progress") return AskProgress{words.take_count("watcher", 1)};
  if (verb == "read_stream") return ReadStream{words.take_count("watcher", 1), true};
  if (verb == "pause_stream") return ReadStream{words.take_count("watcher", 1), false};
  if (verb == "close_stream") return CloseStream{words.take_count("watcher", 1)};
  if (verb == "renew") return parse_renew(words);
  if (verb == "close_keeper") return CloseKeeper{words.take_count("keeper", 1)};
  return std::nullopt;
}

}  // namespace

bool is_fault(const Deed& deed) {
  return std::visit(Overloaded{[](const Boot& boot) {
                                 return boot.power_off_after > 0 || boot.flip || boot.misplaced ||
                                        boot.configuration > 0;
                               },
                               [](const PowerOff&) { return true; }, [](const Kill&) { return true; },
                               [](const Stop&) { return true; }, [](const BreakDisk&) { return true; },
                               [](const SwapDisk&) { return true; }, [](const StallDisk&) { return true; },
                               [](const Pause&) { return true; }, [](const JumpClock&) { return true; },
                               [](const CutLinks&) { return true; }, [](const auto&) { return false; }},
                    deed.kind);
}

std::string deed_text(const DeedKind& kind) { return std::visit(Writer(), kind); }

std::optional<DeedKind> parse_deed(const std::vector<std::string>& words, std::string& reason) {
  WordReader reader(words);
  const std::string verb = words.empty() ? "" : words.front();
  constexpr std::string_view requests[] = {"put",    "range",  "delete",       "txn",       "compact",
                                           "grant",  "revoke", "time_to_live", "leases",    "hash_kv",
                                           "alarms", "disarm", "defragment",   "hash_state"};
  std::optional<DeedKind> deed;
  if (std::find(std::begin(requests), std::end(requests), verb) != std::end(requests)) {
    deed = parse_ask(reader);
  } else {
    reader.take();
    deed = parse_with(verb, reader);
  }
  if (deed && !reader.is_wrong() && reader.is_empty()) return deed;
  reason = "it makes no sense";
  if (!reader.is_empty()) reason += ", beginning with " + quoted_word(reader.peek());
  return std::nullopt;
}

}  // namespace metastore::sim

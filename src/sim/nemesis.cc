#include "sim/nemesis.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "core/base/assert.h"

namespace metastore::sim {
namespace {

/// How often a disk that is never repaired is tried: each boot costs a whole log.
constexpr std::uint64_t failures_max = 6;
/// Other configurations than the plan's that a run knows.
constexpr std::uint64_t configurations = 1'000;
/// Longer than any run.
constexpr Duration for_good = Duration::seconds(30 * 24 * 3600);

/// Not one that is only made ready.
bool is_segment(std::string_view path) { return path.starts_with("member/wal/") && path.ends_with(".wal"); }

bool is_of_engine(std::string_view path) { return path.starts_with("member/db/"); }

bool has_sector_ending_in_zeros(std::string_view piece) {
  for (std::size_t end = sector_bytes; end <= piece.size(); end += sector_bytes) {
    if (piece[end - 1] == '\0') return true;
  }
  return piece.size() % sector_bytes != 0 && piece.back() == '\0';
}

}  // namespace

Nemesis::Nemesis(const Plan& plan, World& world, Machine& machine, TraceLog& trace, DeedLog& deeds,
                 std::uint64_t number)
    : plan_(plan),
      world_(world),
      machine_(machine),
      trace_(trace),
      deeds_(deeds),
      number_(number),
      name_(numbered("nemesis", number)),
      prng_(plan.seed, name_),
      oddities_(plan.seed, name_ + " oddities"),
      images_(plan.seed, name_ + " of images"),
      crash_operations_(plan.crash_operations.begin(), plan.crash_operations.end()) {
  schedule(Duration());
}

Nemesis::~Nemesis() {
  world_.cancel(ticket_);
  world_.cancel(interruption_ticket_);
}

void Nemesis::on_down() {
  if (machine_.files().has_broken()) {
    mend();
    if (broken_ == Rest::disk && --failures_left_ == 0) broken_ = Rest::down;
    return schedule(plan_.down_max);
  }
  if (!machine_.files().powered()) ++counts_.faults[static_cast<std::size_t>(Fault::power_at_operation)];
  note(machine_.files().powered() ? "the member has stopped" : "the power went during a file operation");
  schedule(plan_.down_max);
}

void Nemesis::on_image_step() {
  if (is_spent() || plan_.is_scripted || has_stalled_ || !images_.chance(1, 6)) return;
  interrupt_within(plan_.disk.work_max);
}

void Nemesis::interrupt_within(Duration longest) {
  world_.cancel(interruption_ticket_);
  interruption_ticket_ = world_.after(images_.between(Duration::microseconds(1), longest), interruption_);
}

void Nemesis::interrupt() {
  const bool is_behind_stall = std::exchange(has_stalled_, false);
  const bool is_stall = images_.chance(1, 3);
  const bool is_killed = images_.chance(1, 2);
  const std::uint64_t operations_ahead = is_behind_stall ? 0 : 1 + images_.below(8);
  const Fault fault = is_killed ? Fault::kill : Fault::power_at_operation;
  if (is_spent() || machine_.is_down() || machine_.is_draining()) return;
  if (is_stall && !is_behind_stall) {
    // Log and engine are written by threads of their own: the one waits, and the other goes on, for longer than an
    // election. The power may go meanwhile.
    const Duration longer = draw_pause(plan_, images_);
    has_stalled_ = true;
    suffer(StallDisk{number_, longer, images_.chance(1, 2)});
    return interrupt_within(longer * 2);
  }
  if (plan_.fault_weights[static_cast<std::size_t>(fault)] == 0) return;
  ++strikes_;
  if (is_killed) return suffer(Kill{number_});
  suffer(PowerOff{number_, operations_ahead});
}

void Nemesis::mend() {
  // The machine is repaired, and started anew: what the disk had not kept is gone.
  note("the disk failed, and is repaired");
  machine_.files().repair();
  if (machine_.files().powered()) machine_.files().power_off();
}

void Nemesis::retire() {
  is_retired_ = true;
  // What is drawn from here on shall not depend on how the run came here.
  prng_ = Prng(plan_.seed, name_ + " at the end");
  if (plan_.crash_operations.empty()) machine_.files().power_off_at(0);
  if (!machine_.files().has_broken()) machine_.files().repair();
  machine_.resume();
  if (machine_.is_down()) return schedule(Duration());
  world_.cancel(ticket_);
}

void Nemesis::stay_broken(Rest how) {
  broken_ = how;
  switch (how) {
    case Rest::down:
      note("it stays down");
      world_.cancel(ticket_);
      if (machine_.is_down()) return;
      return prng_.chance(1, 2) ? machine_.kill() : machine_.power_off();
    case Rest::cut_off:
      return note("it stays cut off");
    case Rest::paused:
      note("it stays paused");
      if (machine_.is_down()) broken_ = Rest::down;
      if (!machine_.is_down()) machine_.pause(for_good);
      return;
    case Rest::disk:
      note("its disk goes on failing");
      failures_left_ = failures_max;
      return fail_again();
  }
}

void Nemesis::fail_again() {
  if (machine_.is_down()) return;
  constexpr DiskFault faults[] = {DiskFault::sync_error, DiskFault::write_error, DiskFault::full};
  const DiskFault fault = faults[prng_.below(std::size(faults))];
  const std::uint64_t ahead = std::max<std::uint64_t>(plan_.operations_ahead_max, 1);
  machine_.files().break_at(machine_.files().operations() + 1 + prng_.below(ahead), fault);
}

void Nemesis::recover() {
  broken_.reset();
  machine_.resume();
  if (!machine_.files().has_broken()) {
    machine_.files().repair();
  } else if (machine_.is_down()) {
    mend();
  }
  note("it is whole again");
  if (machine_.is_down()) schedule(Duration());
}

void Nemesis::run() {
  if (!machine_.is_admitted() || broken_ == Rest::down) return;
  if (machine_.is_down()) return boot();
  strike();
}

void Nemesis::boot() {
  Boot boot{.member = number_};
  if (!crash_operations_.empty()) {
    boot.power_off_after = crash_operations_.front();
    crash_operations_.pop_front();
  } else if (!is_spent() && prng_.below(100) < plan_.boot_crash_percent) {
    boot.power_off_after = 1 + prng_.below(plan_.boot_operations_ahead_max);
  }
  if (!is_spent() && prng_.below(100) < plan_.flip_percent) boot.flip = draw_flip();
  if (!is_spent() && !boot.flip && oddities_.below(100) < plan_.misplaced_percent) boot.misplaced = draw_misplaced();
  if (!is_spent() && oddities_.below(100) < plan_.reconfigure_percent) {
    boot.configuration = 1 + oddities_.below(configurations);
  }
  decide(boot);
  if (broken_ == Rest::disk) return fail_again();
  if (!machine_.is_down() && !is_spent()) schedule(plan_.fault_interval_max);
}

void Nemesis::perform(const Boot& boot) {
  if (!machine_.is_down() || !machine_.is_admitted()) return;
  if (!machine_.files().powered()) machine_.files().power_on();
  if (boot.power_off_after > 0) {
    machine_.files().power_off_at(machine_.files().operations() + boot.power_off_after);
  }
  start(boot);
  if (boot.configuration > 0) ++counts_.reconfigured;
  if (!machine_.is_down()) return;
  if (!machine_.files().has_broken()) ++counts_.boot_crashes;
  ++strikes_;
  on_down();
}

void Nemesis::start(const Boot& boot) {
  const std::optional<Damage> damage = boot.flip        ? flip(*boot.flip)
                                       : boot.misplaced ? misplace(*boot.misplaced)
                                                        : std::nullopt;
  if (!damage) return machine_.boot("", boot.configuration);
  DamageCounts& counts = boot.flip ? counts_.flips : counts_.misplaced;
  ++counts.done;
  // Of a segment with another's head and the one behind it nobody can tell which does not belong there.
  const bool has_other_head = boot.misplaced && damage->offset == 0 && is_segment(damage->path);
  machine_.boot(has_other_head ? "member/wal/" : damage->path, boot.configuration);
  undo(*damage);
  if (!machine_.is_down()) {
    ++counts.accepted;
  } else if (machine_.files().powered() && !machine_.files().has_broken()) {
    note("that is put right");
    ++(damage->path.starts_with("member/wal/") ? counts.log_refused
       : is_of_engine(damage->path)            ? counts.engine_refused
                                               : counts.identity_refused);
    machine_.boot("", boot.configuration);
  }
}

std::optional<Nemesis::Damage> Nemesis::flip(const Flip& flip) {
  if (!has_byte(flip.path, flip.offset)) return std::nullopt;
  note("a bit of " + flip.path + " turns over, at " + std::to_string(flip.offset));
  // The whole sector tells whether the member has written over it: a byte alone may look so by chance.
  const std::uint64_t begin = flip.offset / sector_bytes * sector_bytes;
  const std::string before = machine_.files().contents(flip.path).substr(begin, sector_bytes);
  machine_.files().flip(flip.path, flip.offset, flip.bit);
  const std::string after = machine_.files().contents(flip.path).substr(begin, sector_bytes);
  return Damage{flip.path, begin, before, after, flip};
}

/// A sector that ends in zeros is what a lost write leaves: over the end of the log nobody who knows but this disk
/// could tell it from one.
bool Nemesis::is_end_of_log(const std::string& path) const {
  if (!is_segment(path)) return false;
  const std::vector<std::string> files = machine_.files().all_files();
  return std::none_of(files.begin(), files.end(),
                      [&](const std::string& other) { return is_segment(other) && other > path; });
}

std::optional<Nemesis::Damage> Nemesis::misplace(const Misplaced& misplaced) {
  if (!has_byte(misplaced.path, misplaced.offset) || !has_byte(misplaced.onto, misplaced.onto_offset)) {
    return std::nullopt;
  }
  if (!machine_.files().is_synced(misplaced.onto)) return std::nullopt;
  std::string piece = machine_.files().contents(misplaced.path).substr(misplaced.offset, misplaced.bytes);
  const std::string before = machine_.files().contents(misplaced.onto).substr(misplaced.onto_offset, misplaced.bytes);
  // What a file lacks its last sector has, too.
  piece.resize(before.size(), '\0');
  if (piece == before) return std::nullopt;
  // A segment whose head is wrong is no torn one, whatever follows.
  const bool may_look_torn = misplaced.onto_offset > 0 && is_end_of_log(misplaced.onto);
  if (may_look_torn && has_sector_ending_in_zeros(piece)) return std::nullopt;
  note(std::to_string(misplaced.bytes) + " bytes of " + misplaced.path + " at " + std::to_string(misplaced.offset) +
       " are found in " + misplaced.onto + " at " + std::to_string(misplaced.onto_offset));
  machine_.files().overwrite(misplaced.onto, misplaced.onto_offset, piece);
  return Damage{misplaced.onto, misplaced.onto_offset, before, std::move(piece), {}};
}

void Nemesis::undo(const Damage& damage) {
  // The member may have written over some of its sectors, or thrown all away.
  const std::vector<std::string> files = machine_.files().all_files();
  if (std::find(files.begin(), files.end(), damage.path) == files.end()) return;
  for (std::size_t at = 0; at < damage.after.size(); at += sector_bytes) {
    const std::string after = damage.after.substr(at, sector_bytes);
    if (machine_.files().contents(damage.path).substr(damage.offset + at, after.size()) != after) continue;
    if (damage.flip) return machine_.files().flip(damage.path, damage.flip->offset, damage.flip->bit);
    machine_.files().overwrite(damage.path, damage.offset + at, damage.before.substr(at, sector_bytes));
  }
}

bool Nemesis::has_byte(const std::string& path, std::uint64_t offset) const {
  const std::vector<std::string> files = machine_.files().all_files();
  return std::find(files.begin(), files.end(), path) != files.end() && offset < machine_.files().contents(path).size();
}

std::optional<Flip> Nemesis::draw_flip() {
  const std::vector<std::string> files = machine_.files().all_files();
  if (files.empty()) return std::nullopt;
  Flip flip;
  flip.path = files[prng_.below(files.size())];
  const std::string contents = machine_.files().contents(flip.path);
  if (contents.empty()) return std::nullopt;
  // Segments are filled with zeros ahead: most flips should hit what was written.
  const std::size_t last = contents.find_last_not_of('\0');
  const bool is_anywhere = last == std::string::npos || prng_.chance(1, 4);
  flip.offset = prng_.below(is_anywhere ? contents.size() : last + 1);
  flip.bit = static_cast<unsigned>(prng_.below(8));
  return flip;
}

std::optional<Misplaced> Nemesis::draw_misplaced() {
  const std::vector<std::string> files = machine_.files().all_files();
  if (files.empty()) return std::nullopt;
  // A sector, a page, or a whole batch.
  constexpr std::uint64_t sizes[] = {512, 4'096, 65'536};
  const std::uint64_t bytes = sizes[oddities_.below(std::size(sizes))];
  const auto draw_place = [&](const std::string& path) {
    // Most should hit what was written, as flips do.
    const std::string contents = machine_.files().contents(path);
    const std::size_t last = contents.find_last_not_of('\0');
    const bool is_anywhere = last == std::string::npos || oddities_.chance(1, 4);
    const std::uint64_t end = is_anywhere ? contents.size() : last + 1;
    return end == 0 ? 0 : oddities_.below((end + bytes - 1) / bytes) * bytes;
  };
  std::vector<std::string> segments = files;
  std::erase_if(segments, [](const std::string& path) { return !is_segment(path); });
  const bool is_of_log = segments.size() > 1 && oddities_.chance(1, 2);
  const std::vector<std::string>& candidates = is_of_log ? segments : files;
  Misplaced misplaced{.path = candidates[oddities_.below(candidates.size())], .bytes = bytes};
  misplaced.onto = candidates[oddities_.below(candidates.size())];
  misplaced.offset = draw_place(misplaced.path);
  misplaced.onto_offset = draw_place(misplaced.onto);
  // A whole segment in the place of another looks most like what belongs there. In the place of the first it is the
  // second that does not continue it, and is refused by its own name.
  if (is_of_log && oddities_.chance(1, 2)) {
    misplaced.offset = misplaced.onto_offset = 0;
    misplaced.bytes = machine_.files().contents(misplaced.onto).size();
  }
  if (misplaced.onto_offset == 0 && !segments.empty() && misplaced.onto == segments.front()) return std::nullopt;
  // One database in the place of another is whole, and nobody could tell.
  const bool is_whole = misplaced.offset == 0 && misplaced.onto_offset == 0;
  if (is_whole && is_of_engine(misplaced.path) && is_of_engine(misplaced.onto)) return std::nullopt;
  return misplaced;
}

bool Nemesis::is_spent() const { return is_retired_ || plan_.is_calm() || strikes_ >= plan_.faults_max; }

void Nemesis::strike() {
  if (is_spent()) return;
  schedule(plan_.fault_interval_max);
  if (machine_.is_draining()) return;
  ++strikes_;
  const auto fault = static_cast<Fault>(prng_.weighted(plan_.fault_weights.data(), plan_.fault_weights.size()));
  const auto draw_operation = [&] { return 1 + prng_.below(plan_.operations_ahead_max); };
  switch (fault) {
    case Fault::power_at_operation:
      return decide(PowerOff{number_, draw_operation()});
    case Fault::sync_error:
      return decide(BreakDisk{number_, DiskFault::sync_error, draw_operation()});
    case Fault::write_error:
      return decide(BreakDisk{number_, DiskFault::write_error, draw_operation()});
    case Fault::disk_full:
      return decide(BreakDisk{number_, DiskFault::full, draw_operation()});
    case Fault::power_now:
      decide(PowerOff{number_});
      return schedule(plan_.down_max);
    case Fault::kill:
      decide(Kill{number_});
      return schedule(plan_.down_max);
    case Fault::restart:
      return decide(Stop{number_});
    case Fault::pause:
      return decide(Pause{number_, draw_pause(plan_, prng_)});
    case Fault::clock_jump:
      return decide(draw_jump());
  }
}

JumpClock Nemesis::draw_jump() {
  constexpr Duration year = Duration::seconds(365 * 24 * 3600);
  const Duration most = prng_.chance(1, 2) ? year : plan_.election_timeout;
  const Duration by = prng_.between(Duration::milliseconds(1), most);
  return prng_.chance(1, 2) ? JumpClock{number_, by, {}} : JumpClock{number_, {}, by};
}

void Nemesis::perform(const Pause& pause) {
  if (machine_.is_down() || machine_.is_paused()) return;
  ++counts_.faults[static_cast<std::size_t>(Fault::pause)];
  if (plan_.machines() > 1 && machine_.status().is_leader && pause.length > plan_.election_timeout) {
    ++counts_.long_pauses_of_leader;
  }
  note("pauses the process");
  machine_.pause(pause.length);
}

void Nemesis::perform(const JumpClock& jump) {
  ++counts_.faults[static_cast<std::size_t>(Fault::clock_jump)];
  note("sets the wall clock");
  machine_.jump(jump.forward - jump.back);
}

void Nemesis::perform(const PowerOff& off) {
  if (machine_.is_down()) return;
  if (off.after > 0) {
    // Counted when it happens: a member that touches no file keeps its power.
    machine_.files().power_off_at(machine_.files().operations() + off.after);
    return note("orders the power off at a file operation");
  }
  ++counts_.faults[static_cast<std::size_t>(Fault::power_now)];
  note("takes the power away");
  machine_.power_off();
  if (machine_.files().has_broken()) mend();
}

void Nemesis::perform(const BreakDisk& disk) {
  if (machine_.is_down()) return;
  // Counted by the disk, when it happens.
  machine_.files().break_at(machine_.files().operations() + disk.after, disk.fault);
  note("orders a failure of the disk");
}

void Nemesis::perform(const Kill&) {
  if (machine_.is_down()) return;
  ++counts_.faults[static_cast<std::size_t>(Fault::kill)];
  note("kills the member");
  machine_.kill();
  // It may have died before it could say that its disk had failed.
  if (machine_.files().has_broken()) mend();
}

void Nemesis::perform(const Stop&) {
  // Nobody who is paused hears of it before he goes on.
  if (machine_.is_down() || machine_.is_draining() || machine_.is_paused()) return;
  ++counts_.faults[static_cast<std::size_t>(Fault::restart)];
  note("asks the member to stop");
  machine_.drain();
}

void Nemesis::perform(const SwapDisk&) {
  note("the disk is swapped");
  if (!machine_.is_down()) machine_.kill();
  machine_.swap_disk();
}

void Nemesis::perform(const StallDisk& stall) {
  if (machine_.is_down()) return;
  note("the disk stalls");
  machine_.stall(stall.longer, stall.is_engine);
}

void Nemesis::schedule(Duration longest) {
  world_.cancel(ticket_);
  if (plan_.is_scripted && !is_retired_) return;
  ticket_ = world_.after(prng_.between(Duration(), longest), *this);
}

void Nemesis::note(std::string_view what) { trace_.add(world_.now(), name_, what); }

}  // namespace metastore::sim

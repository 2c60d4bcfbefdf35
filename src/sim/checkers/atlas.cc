#include "sim/checkers/atlas.h"

#include <algorithm>
#include <optional>

namespace metastore::sim {

void Atlas::on_boot(MemberId member, LogIndex marked, Term term) {
  disks_[member] = {.log = LogOutline(marked, term), .marked = marked, .durable = marked, .writes = {}};
}

void Atlas::on_found(MemberId member, LogIndex index, Term term) {
  Disk& disk = disks_[member];
  disk.log.put(index, term);
  disk.durable = index;
}

void Atlas::on_entry(MemberId member, LogWriteId write, LogIndex index, Term term) {
  Disk& disk = disks_[member];
  disk.log.put(index, term);
  if (disk.durable >= index) disk.durable = index.previous();
  for (Write& earlier : disk.writes) earlier.last = std::min(earlier.last, index.previous());
  if (disk.writes.empty() || disk.writes.back().id != write) disk.writes.push_back({write, index});
  disk.writes.back().last = index;
}

void Atlas::on_mark(MemberId member, LogWriteId write, LogIndex index, Term term) {
  Disk& disk = disks_[member];
  disk.log.begin_at(index, term);
  disk.marked = index;
  disk.writes.push_back({write, index});
}

void Atlas::on_written(MemberId member, LogWriteId write) {
  Disk& disk = disks_[member];
  while (!disk.writes.empty() && disk.writes.front().id <= write) {
    disk.durable = std::max(disk.durable, disk.writes.front().last);
    disk.writes.pop_front();
  }
}

void Atlas::on_committed(MemberId member, LogIndex index) {
  if (index <= committed_) return;
  const std::optional<Term> term = disks_[member].log.term_at(index);
  if (!term) return;
  committed_ = index;
  committed_term_ = *term;
}

void Atlas::on_crash(MemberId member) {
  Disk& disk = disks_[member];
  disk.writes.clear();
  disk.log.cut_behind(disk.durable);
}

bool Atlas::holds(const Disk& disk, LogIndex index, Term term) {
  // The log that holds an entry holds all before it, or a checkpoint does.
  return disk.durable >= index && (disk.log.term_at(index) == term || disk.marked > index);
}

bool Atlas::holds(MemberId member, LogIndex index, Term term) const {
  const auto disk = disks_.find(member);
  return disk != disks_.end() && holds(disk->second, index, term);
}

std::string Atlas::verdict(const std::vector<MemberId>& running,
                           const std::vector<std::vector<MemberId>>& configurations) const {
  const auto runs = [&](MemberId id) { return std::find(running.begin(), running.end(), id) != running.end(); };
  for (const std::vector<MemberId>& voters : configurations) {
    const auto there = static_cast<std::size_t>(std::count_if(voters.begin(), voters.end(), runs));
    if (voters.empty() || there * 2 > voters.size()) continue;
    return "not recoverable: " + std::to_string(there) + " of " + std::to_string(voters.size()) + " voters are there";
  }
  std::string holders;
  for (const auto& [id, disk] : disks_) {
    if (!runs(id) || !holds(disk, committed_, committed_term_)) continue;
    holders += (holders.empty() ? "" : ", ") + std::to_string(id.value()) + " (log " +
               std::to_string(disk.log.base().value()) + " to " + std::to_string(disk.durable.value()) + ")";
  }
  const std::string entry =
      "entry " + std::to_string(committed_.value()) + " of term " + std::to_string(committed_term_.value());
  if (committed_ == LogIndex()) return "recoverable: nothing was committed yet";
  if (holders.empty()) return "not recoverable: " + entry + " is committed, and on no disk for certain";
  return "recoverable: " + entry + " is the last that is committed, and durable at " + holders;
}

}  // namespace metastore::sim

#include "sim/file_image.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "core/base/assert.h"

namespace metastore::sim {

/// Which of the un-synced changes happened, as a cut a sector: the changes before it are in the sector, those at or
/// after it are not. The size has a cut of its own.
class FileImage::Verdict {
 public:
  Verdict(CrashFate fate, const std::vector<Change>& changes, Prng& prng)
      : fate_(fate), changes_(changes), prng_(prng), kept_(changes.size()) {
    if (fate == CrashFate::prefix) prefix_ = static_cast<std::size_t>(prng.below(changes.size() + 1));
    if (fate == CrashFate::reordered) {
      for (std::size_t i = 0; i < kept_.size(); ++i) kept_[i] = prng.chance(1, 2);
    }
    std::vector<std::size_t> resizing;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (changes[i].size_before != changes[i].size_after) resizing.push_back(i);
    }
    size_cut_ = draw(resizing);
  }

  std::size_t size_cut() const { return size_cut_; }

  /// `touching` are the changes that touch one sector, in order.
  std::size_t sector_cut(const std::vector<std::size_t>& touching) {
    std::size_t cut = draw(touching);
    // A shrink that happened took its bytes along; behind one that did not, there is nothing to write into.
    for (const std::size_t i : touching) {
      if (!changes_[i].bytes.empty()) continue;
      if (i < size_cut_) {
        cut = std::max(cut, i + 1);
      } else {
        return std::min(cut, i);
      }
    }
    return cut;
  }

 private:
  std::size_t draw(const std::vector<std::size_t>& candidates) {
    switch (fate_) {
      case CrashFate::kept:
        return changes_.size();
      case CrashFate::lost:
        return 0;
      case CrashFate::prefix: {
        const bool is_torn_here = std::find(candidates.begin(), candidates.end(), prefix_) != candidates.end();
        return is_torn_here && prng_.chance(1, 2) ? prefix_ + 1 : prefix_;
      }
      case CrashFate::reordered:
        for (std::size_t i = candidates.size(); i-- > 0;) {
          if (kept_[candidates[i]]) return candidates[i] + 1;
        }
        return 0;
      case CrashFate::scattered: {
        const std::uint64_t image = prng_.below(candidates.size() + 1);
        return image == 0 ? 0 : candidates[static_cast<std::size_t>(image - 1)] + 1;
      }
    }
    UNREACHABLE();
  }

  CrashFate fate_;
  const std::vector<Change>& changes_;
  Prng& prng_;
  std::vector<bool> kept_;
  std::size_t prefix_ = 0;
  std::size_t size_cut_ = 0;
};

std::size_t FileImage::read_at(std::uint64_t offset, std::span<char> out) const {
  if (offset >= seen_.size()) return 0;
  const std::size_t count = std::min<std::uint64_t>(out.size(), seen_.size() - offset);
  std::memcpy(out.data(), seen_.data() + offset, count);
  return count;
}

void FileImage::write_at(std::uint64_t offset, BytesView bytes) {
  if (bytes.empty()) return;
  Change change;
  change.offset = offset;
  change.bytes = std::string(bytes);
  change.size_before = seen_.size();
  if (seen_.size() < offset + bytes.size()) seen_.resize(offset + bytes.size(), '\0');
  change.size_after = seen_.size();
  std::memcpy(seen_.data() + offset, bytes.data(), bytes.size());
  unsynced_.push_back(std::move(change));
}

void FileImage::truncate(std::uint64_t size) {
  Change change;
  change.offset = size;
  change.zeroed_to = std::max<std::uint64_t>(size, seen_.size());
  change.size_before = seen_.size();
  change.size_after = size;
  seen_.resize(size, '\0');
  unsynced_.push_back(std::move(change));
}

void FileImage::sync() {
  for (const Change& change : unsynced_) {
    const std::uint64_t end = std::min<std::uint64_t>(change.end(), seen_.size());
    if (durable_.size() < end) durable_.resize(end, '\0');
    if (change.offset < end)
      std::memcpy(durable_.data() + change.offset, seen_.data() + change.offset, end - change.offset);
  }
  durable_.resize(seen_.size(), '\0');
  unsynced_.clear();
}

void FileImage::fail_sync(Prng& prng) {
  std::erase_if(unsynced_, [&prng](const Change& change) { return !change.bytes.empty() && prng.chance(1, 2); });
  has_forgotten_ = true;
}

void FileImage::flip(std::uint64_t offset, unsigned bit) {
  const auto mask = static_cast<char>(1u << bit);
  for (std::string* bytes : {&seen_, &durable_}) {
    if (offset < bytes->size()) (*bytes)[offset] = static_cast<char>((*bytes)[offset] ^ mask);
  }
}

void FileImage::overwrite(std::uint64_t offset, BytesView bytes) {
  for (std::string* held : {&seen_, &durable_}) {
    if (offset < held->size())
      std::memcpy(held->data() + offset, bytes.data(), std::min(bytes.size(), held->size() - offset));
  }
}

void FileImage::crash(CrashFate fate, Prng& prng, CrashCounts& counts) {
  if (std::exchange(has_forgotten_, false) && unsynced_.empty()) seen_ = durable_;
  if (unsynced_.empty()) return;
  Verdict verdict(fate, unsynced_, prng);
  std::map<std::uint64_t, std::vector<std::size_t>> touched;
  for (std::size_t i = 0; i < unsynced_.size(); ++i) {
    const Change& change = unsynced_[i];
    if (change.end() == change.offset) continue;
    for (std::uint64_t s = change.offset / sector_bytes; s * sector_bytes < change.end(); ++s) touched[s].push_back(i);
  }
  const std::uint64_t size_before = seen_.size();
  const std::uint64_t size = verdict.size_cut() == 0 ? durable_.size() : unsynced_[verdict.size_cut() - 1].size_after;
  std::vector<std::uint64_t> sectors_left(unsynced_.size());
  std::vector<std::uint64_t> sectors_written(unsynced_.size());
  std::vector<bool> has_hole(unsynced_.size());
  durable_.resize(std::max<std::uint64_t>(
                      {durable_.size(), size, (touched.empty() ? 0 : touched.rbegin()->first + 1) * sector_bytes}),
                  '\0');
  for (const auto& [sector, touching] : touched) {
    const std::size_t cut = verdict.sector_cut(touching);
    const std::uint64_t begin = sector * sector_bytes;
    for (const std::size_t i : touching) {
      const Change& change = unsynced_[i];
      ++sectors_written[i];
      if (i >= cut) continue;
      if (++sectors_left[i] < sectors_written[i]) has_hole[i] = true;
      const std::uint64_t from = std::max(begin, change.offset);
      const std::uint64_t to = std::min(begin + sector_bytes, change.end());
      if (change.bytes.empty()) {
        std::memset(durable_.data() + from, 0, to - from);
      } else {
        std::memcpy(durable_.data() + from, change.bytes.data() + (from - change.offset), to - from);
      }
    }
  }
  durable_.resize(size);
  bool is_later_left = false;
  for (std::size_t i = unsynced_.size(); i-- > 0;) {
    if (unsynced_[i].bytes.empty()) continue;
    if (sectors_left[i] == 0) {
      ++counts.writes_lost;
      if (is_later_left) ++counts.writes_reordered;
    } else {
      is_later_left = true;
      if (has_hole[i]) ++counts.writes_reordered;
      if (sectors_left[i] < sectors_written[i]) ++counts.writes_torn;
    }
  }
  if (size != size_before) ++counts.sizes_lost;
  seen_ = durable_;
  unsynced_.clear();
}

void FileImage::set_contents(std::string contents) {
  durable_ = contents;
  seen_ = std::move(contents);
  unsynced_.clear();
}

}  // namespace metastore::sim

#include "storage/wal.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/assert.h"

namespace metastore::storage {

using port::StorageResult;
using port::StorageStatus;

namespace {

/// The zeros kept ahead are this part of a segment: enough for some batches, little for a member that is idle.
constexpr std::uint64_t parts_ahead = 8;
/// One fill writes this part of a segment: about as long as a batch, since batches wait behind it.
constexpr std::uint64_t parts_a_fill = 64;
constexpr std::uint64_t fill_bytes_min = 4096;
/// One member in a mark: a tag and a varint.
constexpr std::size_t member_bytes_max = 11;

constexpr std::array<char, 65536> zeros{};

StorageStatus write_zeros(port::File& file, std::uint64_t begin, std::uint64_t end) {
  while (begin < end) {
    const BytesView part(zeros.data(), std::min<std::uint64_t>(zeros.size(), end - begin));
    if (const StorageStatus status = file.write_at(begin, {&part, 1}); !status) return status;
    begin += part.size();
  }
  return Done{};
}

/// At least what `write` takes in a batch besides the hard state.
std::size_t size_bound(const raft::LogWrite& write) {
  std::size_t bound = 0;
  for (const raft::Entry& entry : write.append) bound += FrameBuffer::frame_size_bound(entry.data.size());
  if (!write.mark) return bound;
  const raft::ConfState& members = write.mark->conf_state;
  const std::size_t count =
      members.voters.size() + members.learners.size() + members.voters_outgoing.size() + members.learners_next.size();
  return bound + FrameBuffer::frame_size_bound(count * member_bytes_max);
}

}  // namespace

Wal::Wal(port::Files& files, std::string directory, const Limits& limits, const Metadata& metadata, std::uint32_t crc)
    : files_(files),
      directory_(std::move(directory)),
      segment_size_(limits.wal_segment_bytes),
      segments_kept_(limits.wal_files_kept),
      metadata_(metadata),
      frames_(crc) {}

StorageStatus Wal::create(port::Files& files, std::string directory, const Metadata& metadata,
                          const raft::LogWrite& first) {
  Wal wal(files, std::move(directory), Limits{}, metadata, 0);
  if (const StorageStatus status = wal.remove_next(); !status) return status;
  if (const StorageStatus status = wal.open_next(); !status) return status;
  wal.frames_.add_crc();
  wal.frames_.add(metadata);
  wal.frames_.add(raft::Mark{});
  wal.take(first);
  wal.frames_.add(wal.hard_state_);
  return wal.publish_next(Segment{});
}

StorageResult<std::unique_ptr<Wal>> Wal::resume(port::Files& files, std::string directory, const Limits& limits,
                                                const Position& position) {
  const WalTail& tail = position.tail;
  std::unique_ptr<Wal> wal(new Wal(files, std::move(directory), limits, position.metadata, tail.crc));
  ASSERT(!position.segments.empty() && position.segments.back() == tail.segment);
  wal->segments_ = position.segments;
  wal->end_ = tail.end;
  wal->only_head_ = tail.batch_begin == 0;
  wal->filled_ = tail.file_size;
  wal->hard_state_ = position.hard_state;
  wal->last_index_ = position.last_index;
  if (const StorageStatus status = wal->remove_next(); !status) return status.error();
  StorageResult<std::unique_ptr<port::File>> file = files.open(wal->path(tail.segment), port::OpenMode::read_write);
  if (!file) return file.error();
  wal->file_ = std::move(file).value();

  // Only the last batch, and the last segment's name, may be in memory alone: the process may have been killed before
  // its sync. Writing the batch again costs little and covers a sync that failed, after which Linux takes pages for
  // clean that never reached the disk.
  const BytesView last_batch = tail.last_batch;
  if (const StorageStatus status = wal->file_->write_at(tail.batch_begin, {&last_batch, 1}); !status) {
    return status.error();
  }
  if (!tail.torn.empty()) {
    if (const StorageStatus status = write_zeros(*wal->file_, tail.end, tail.file_size); !status) return status.error();
  }
  if (const StorageStatus status = wal->sync(*wal->file_); !status) return status.error();
  if (const StorageStatus status = files.sync_directory(wal->directory_); !status) return status.error();
  return wal;
}

StorageStatus Wal::sync(port::File& file) {
  const StorageStatus status = file.sync();
  costs_.sync_nanoseconds.record(static_cast<std::uint64_t>(file.sync_took.nanoseconds()));
  return status;
}

void Wal::take(const raft::LogWrite& write) {
  for (const raft::Entry& entry : write.append) {
    frames_.add(entry);
    last_index_ = entry.index;
  }
  if (write.mark) {
    frames_.add(*write.mark);
    // That of a snapshot stands for entries that the log never had.
    last_index_ = std::max(last_index_, write.mark->index);
    marked_in_ = segments_.back().sequence;
  }
  if (write.hard_state) hard_state_ = *write.hard_state;
}

StorageStatus Wal::append(std::span<const raft::LogWrite> writes) {
  std::size_t bound = FrameBuffer::frame_size_bound(0);
  for (const raft::LogWrite& write : writes) bound += size_bound(write);
  // A batch lies within one segment; one that is larger than a segment gets one of its own.
  if (end_ + bound > segment_size_ && !only_head_) {
    if (const StorageStatus status = cut(); !status) return status;
  }
  for (const raft::LogWrite& write : writes) take(write);
  frames_.add(hard_state_);
  if (const StorageStatus status = file_->write_at(end_, frames_.parts()); !status) return status;
  if (const StorageStatus status = sync(*file_); !status) return status;
  end_ += frames_.size();
  costs_.written_bytes += frames_.size();
  only_head_ = false;
  filled_ = std::max(filled_, end_);
  frames_.clear();
  for (const raft::LogWrite& write : writes) release_to_ = std::max(release_to_, write.release_to);
  return Done{};
}

StorageStatus Wal::cut() {
  if (const StorageStatus status = file_->truncate(end_); !status) return status;
  if (const StorageStatus status = sync(*file_); !status) return status;
  if (next_ == nullptr) {
    if (const StorageStatus status = open_next(); !status) return status;
  }
  frames_.add_crc();
  frames_.add(metadata_);
  frames_.add(hard_state_);
  only_head_ = true;
  return publish_next(Segment{segments_.back().sequence + 1, last_index_.next()});
}

/// What a process that was killed had prepared.
StorageStatus Wal::remove_next() {
  if (!files_.exists(next_path())) return Done{};
  return files_.remove(next_path());
}

StorageStatus Wal::open_next() {
  StorageResult<std::unique_ptr<port::File>> file = files_.open(next_path(), port::OpenMode::create);
  if (!file) return file.error();
  next_ = std::move(file).value();
  next_filled_ = 0;
  return Done{};
}

/// Makes the segment to come the last one, headed by the frames gathered so far.
StorageStatus Wal::publish_next(const Segment& segment) {
  if (const StorageStatus status = next_->write_at(0, frames_.parts()); !status) return status;
  if (const StorageStatus status = sync(*next_); !status) return status;
  if (const StorageStatus status = files_.rename(next_path(), path(segment)); !status) return status;
  if (const StorageStatus status = files_.sync_directory(directory_); !status) return status;
  segments_.push_back(segment);
  file_ = std::move(next_);
  end_ = frames_.size();
  costs_.written_bytes += frames_.size();
  filled_ = std::max(next_filled_, end_);
  frames_.clear();
  return Done{};
}

bool Wal::wants_fill() const {
  const std::uint64_t ahead = filled_ - end_ + (next_ == nullptr ? 0 : next_filled_);
  return ahead < segment_size_ / parts_ahead;
}

StorageStatus Wal::fill() {
  const std::uint64_t size = std::max(segment_size_ / parts_a_fill, fill_bytes_min);
  const bool in_this_segment = filled_ < segment_size_;
  if (!in_this_segment && next_ == nullptr) {
    if (const StorageStatus status = open_next(); !status) return status;
  }
  port::File& file = in_this_segment ? *file_ : *next_;
  std::uint64_t& filled = in_this_segment ? filled_ : next_filled_;
  const std::uint64_t end = std::min(filled + size, segment_size_);
  if (const StorageStatus status = write_zeros(file, filled, end); !status) return status;
  if (const StorageStatus status = sync(file); !status) return status;
  filled = end;
  return Done{};
}

/// The first segment holds nothing but what a durable mark behind it stands for.
bool Wal::may_release() const {
  return segments_kept_ > 0 && segments_.size() > segments_kept_ && segments_.front().sequence < marked_in_ &&
         segments_[1].first_index <= release_to_.next();
}

/// One at a time, each removal durable before the next: a crash must not leave a gap.
StorageStatus Wal::release() {
  if (const StorageStatus status = files_.remove(path(segments_.front())); !status) return status;
  if (const StorageStatus status = files_.sync_directory(directory_); !status) return status;
  segments_.erase(segments_.begin());
  return Done{};
}

}  // namespace metastore::storage

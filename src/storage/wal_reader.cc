#include "storage/wal_reader.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "storage/remedy.h"

namespace metastore::storage {

namespace {

/// A disk writes a sector whole or not at all.
constexpr std::size_t sector_size = 512;

bool is_zero(BytesView bytes) { return bytes.find_first_not_of('\0') == BytesView::npos; }

std::optional<Record> decode_body(const Frame& frame) {
  const auto widened = [](auto body) { return body ? std::optional<Record>(std::move(*body)) : std::nullopt; };
  switch (frame.type) {
    case RecordType::metadata:
      return widened(decode_metadata(frame.data));
    case RecordType::entry:
      return widened(decode_entry(frame.data));
    case RecordType::hard_state:
      return widened(decode_hard_state(frame.data));
    case RecordType::crc:
      return Record(ChainValue{frame.crc});
    case RecordType::snapshot:
      return widened(decode_mark(frame.data));
  }
  UNREACHABLE();
}

/// What can still be made out behind a damaged place.
struct Behind {
  std::optional<std::size_t> whole_frame;
  std::optional<std::size_t> later_batch;  ///< A frame that follows from a hard state, hence begins a batch.
};

Behind look_behind(BytesView bytes, std::size_t damaged) {
  Behind behind;
  for (std::size_t at = damaged; at < bytes.size(); at += 8) {
    const Result<Frame, Damage> frame = decode_frame(bytes.substr(at));
    if (!frame || !decode_body(frame.value())) continue;
    if (at != damaged && !behind.whole_frame) behind.whole_frame = at;
    if (frame.value().type != RecordType::hard_state) continue;
    const std::size_t next_at = at + frame.value().size;
    const Result<Frame, Damage> next = decode_frame(bytes.substr(next_at));
    if (next && next.value().type != RecordType::crc && follows(next.value(), frame.value().crc)) {
      behind.later_batch = next_at;
      break;
    }
  }
  return behind;
}

}  // namespace

WalReader::WalReader(port::Files& files, std::string directory, std::vector<Segment> segments)
    : files_(&files), directory_(std::move(directory)), segments_(std::move(segments)) {
  ASSERT(!segments_.empty());
}

port::StorageStatus WalReader::load() {
  const std::string path = path_in(directory_, file_name(segment()));
  port::StorageResult<std::unique_ptr<port::File>> file = files_->open(path, port::OpenMode::read);
  if (!file) return file.error();
  const port::StorageResult<std::uint64_t> size = file.value()->size();
  if (!size) return size.error();
  bytes_.resize(size.value());
  const port::StorageResult<std::size_t> got = file.value()->read_at(0, bytes_);
  if (!got) return got.error();
  bytes_.resize(got.value());
  loaded_ = true;
  offset_ = 0;
  ordinal_ = 0;
  batch_begin_ = 0;
  batch_end_ = 0;
  return Done{};
}

port::StorageResult<std::optional<Record>> WalReader::next() {
  if (finished_) return std::optional<Record>();
  if (!loaded_) {
    if (const port::StorageStatus status = load(); !status) return status.error();
  }
  const BytesView rest = BytesView(bytes_).substr(offset_);
  if (is_zero(rest.substr(0, 8))) {
    if (ordinal_ < head_records) return judge("the segment's head is not whole");
    if (!is_zero(rest)) return judge("bytes that are not zero lie behind the end");
    if (current_ + 1 == segments_.size()) {
      if (batch_end_ < offset_) torn_ = "a batch without its hard state";
      finished_ = true;
      return std::optional<Record>();
    }
    ++current_;
    loaded_ = false;
    return next();
  }

  const Result<Frame, Damage> decoded = decode_frame(rest);
  if (!decoded) return judge(decoded.error().reason);
  const Frame& frame = decoded.value();
  const bool starts_chain = current_ == 0 && ordinal_ == 0 && segment().sequence > 0;
  if (!starts_chain && !follows(frame, crc_)) {
    return judge(ordinal_ > 0 ? "a record's checksum does not match" : "it does not continue the segment before");
  }
  if ((frame.type == RecordType::crc) != (ordinal_ == 0) || (frame.type == RecordType::metadata) != (ordinal_ == 1)) {
    return judge("a record is not where its type belongs");
  }
  std::optional<Record> record = decode_body(frame);
  if (!record) return judge("a record's data does not fit its type");
  if (const Metadata* metadata = std::get_if<Metadata>(&*record)) {
    if (metadata_ && *metadata_ != *metadata) return judge("the metadata differ from those of the segment before");
    metadata_ = *metadata;
  }

  record_offset_ = offset_;
  offset_ += frame.size;
  crc_ = frame.crc;
  ++ordinal_;
  if (ordinal_ <= head_records || frame.type == RecordType::hard_state) {
    batch_begin_ = ordinal_ <= head_records ? 0 : batch_end_;
    batch_end_ = offset_;
    batch_crc_ = crc_;
  }
  return record;
}

port::StorageResult<std::optional<Record>> WalReader::judge(std::string_view reason) {
  const std::string where = describe({segment(), offset_}) + ": " + std::string(reason);
  const auto corrupt = [&where](std::string_view why) {
    return port::StorageError{"the log is damaged in " + where + ", and " + std::string(why) +
                              ": this is no torn write" + remedy_for_damage};
  };
  if (ordinal_ < head_records) return corrupt("a segment's head was durable before it got its name");
  if (current_ + 1 < segments_.size()) return corrupt("a later segment follows");
  const Behind behind = look_behind(bytes_, offset_);
  if (behind.later_batch) return corrupt("a later batch follows at offset " + std::to_string(*behind.later_batch));
  // A length that takes in a whole record is a lie, and would make zeros behind the log look like a lost write.
  const std::size_t announced = decode_length_word(BytesView(bytes_).substr(offset_)).value_or(0);
  const std::size_t record_end = offset_ + 8 + announced;
  const bool misstated = behind.whole_frame && *behind.whole_frame < record_end;
  if (misstated || !has_unwritten_part(record_end)) return corrupt("what was not written would be zero");
  torn_ = where;
  finished_ = true;
  return std::optional<Record>();
}

/// What a lost write leaves: the file ends within the record, or is zero from some byte of it on; or a sector that the
/// record shares with the batch is zero.
bool WalReader::has_unwritten_part(std::size_t record_end) const {
  if ((record_end + 7) / 8 * 8 > bytes_.size()) return true;
  const std::size_t last_written = bytes_.find_last_not_of('\0');
  if (last_written == std::string::npos || last_written + 1 < record_end) return true;
  for (std::size_t sector = offset_ - offset_ % sector_size; sector < record_end; sector += sector_size) {
    const std::size_t begin = std::max<std::size_t>(sector, batch_end_);
    if (is_zero(BytesView(bytes_).substr(begin, sector + sector_size - begin))) return true;
  }
  return false;
}

WalTail WalReader::tail() const {
  ASSERT(finished_);
  return WalTail{segment(),
                 batch_begin_,
                 batch_end_,
                 bytes_.size(),
                 batch_crc_,
                 torn_,
                 bytes_.substr(batch_begin_, batch_end_ - batch_begin_)};
}

std::string WalReader::describe(const Place& place) const {
  return path_in(directory_, file_name(place.segment)) + " at offset " + std::to_string(place.offset);
}

}  // namespace metastore::storage

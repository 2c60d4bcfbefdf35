#include "storage/wal_record.h"

#include "core/base/crc32c.h"
#include "core/base/encoder.h"

namespace metastore::storage {

namespace {

constexpr std::size_t length_word_size = 8;
/// Protobuf messages, and so entries, are smaller than 2 GiB.
constexpr std::uint64_t record_size_max = std::uint64_t{2} << 30;
/// A payload from this size on is viewed and not copied: below it a copy is cheaper than one more part to write.
constexpr std::size_t viewed_size_min = 4096;

// Protobuf's wire types, of which the log's records use two.
constexpr std::uint64_t wire_varint = 0;
constexpr std::uint64_t wire_bytes = 2;

void append_field(std::string& out, std::uint64_t number, std::uint64_t value) {
  append_varint(out, number << 3 | wire_varint);
  append_varint(out, value);
}

void append_bytes_header(std::string& out, std::uint64_t number, std::size_t size) {
  append_varint(out, number << 3 | wire_bytes);
  append_varint(out, size);
}

void append_conf_state(std::string& out, const raft::ConfState& state) {
  for (const MemberId id : state.voters) append_field(out, 1, id.value());
  for (const MemberId id : state.learners) append_field(out, 2, id.value());
  for (const MemberId id : state.voters_outgoing) append_field(out, 3, id.value());
  for (const MemberId id : state.learners_next) append_field(out, 4, id.value());
  append_field(out, 5, state.auto_leave ? 1 : 0);
}

std::size_t padding_of(std::size_t record_size) { return (8 - record_size % 8) % 8; }

/// Takes a message's fields in ascending order. An absent number is 0, since newer writers of etcd's format leave
/// zeros out; an unknown field, or one out of order, is damage.
class Fields {
 public:
  explicit Fields(BytesView data) : decoder_(data) { advance(); }

  bool has(std::uint64_t number, std::uint64_t wire_type) const { return tag_ == (number << 3 | wire_type); }
  std::uint64_t number(std::uint64_t number) {
    if (!has(number, wire_varint)) return 0;
    const std::uint64_t value = decoder_.u64();
    advance();
    return value;
  }
  BytesView bytes(std::uint64_t number) {
    if (!has(number, wire_bytes)) return {};
    const BytesView value = decoder_.bytes();
    advance();
    return value;
  }
  /// All was taken and nothing was wrong.
  bool finished() const { return decoder_.ok() && tag_ == 0; }

 private:
  void advance() {
    const bool more = decoder_.ok() && !decoder_.at_end();
    tag_ = more ? decoder_.u64() : 0;
    if (more && tag_ == 0) tag_ = ~std::uint64_t{0};  // No field has the number 0.
  }
  Decoder decoder_;
  std::uint64_t tag_ = 0;
};

std::optional<raft::ConfState> decode_conf_state(BytesView data) {
  Fields fields(data);
  raft::ConfState state;
  while (fields.has(1, wire_varint)) state.voters.emplace_back(fields.number(1));
  while (fields.has(2, wire_varint)) state.learners.emplace_back(fields.number(2));
  while (fields.has(3, wire_varint)) state.voters_outgoing.emplace_back(fields.number(3));
  while (fields.has(4, wire_varint)) state.learners_next.emplace_back(fields.number(4));
  state.auto_leave = fields.number(5) != 0;
  if (!fields.finished()) return std::nullopt;
  return state;
}

}  // namespace

void FrameBuffer::add_crc() { add_frame(RecordType::crc, {}); }

void FrameBuffer::add(const Metadata& metadata) {
  append_field(body_, 1, metadata.member_id.value());
  append_field(body_, 2, metadata.cluster_id.value());
  add_frame(RecordType::metadata, {});
}

void FrameBuffer::add(const raft::Entry& entry) {
  append_field(body_, 1, static_cast<std::uint64_t>(entry.type));
  append_field(body_, 2, entry.term.value());
  append_field(body_, 3, entry.index.value());
  if (!entry.data.empty()) append_bytes_header(body_, 4, entry.data.size());
  add_frame(RecordType::entry, entry.data.view());
}

void FrameBuffer::add(const raft::HardState& hard_state) {
  append_field(body_, 1, hard_state.term.value());
  append_field(body_, 2, hard_state.vote.value());
  append_field(body_, 3, hard_state.commit.value());
  add_frame(RecordType::hard_state, {});
}

void FrameBuffer::add(const raft::Mark& mark) {
  append_field(body_, 1, mark.index.value());
  append_field(body_, 2, mark.term.value());
  if (mark.conf_state != raft::ConfState()) {
    std::string conf_state;
    append_conf_state(conf_state, mark.conf_state);
    append_bytes_header(body_, 3, conf_state.size());
    body_ += conf_state;
  }
  add_frame(RecordType::snapshot, {});
}

void FrameBuffer::add_frame(RecordType type, BytesView payload) {
  const std::size_t frame_begin = buffer_.size();
  buffer_.append(length_word_size, '\0');
  append_field(buffer_, 1, static_cast<std::uint64_t>(type));
  crc_ = crc32c_extend(crc32c_extend(crc_, body_), payload);
  append_field(buffer_, 2, crc_);
  if (!body_.empty()) {
    append_bytes_header(buffer_, 3, body_.size() + payload.size());
    buffer_ += body_;
    body_.clear();
  }
  const std::size_t record_size = buffer_.size() - frame_begin - length_word_size + payload.size();
  const std::size_t padding = padding_of(record_size);
  std::uint64_t length_word = record_size;
  if (padding != 0) length_word |= std::uint64_t{0x80 | padding} << 56;
  for (std::size_t i = 0; i < length_word_size; ++i) {
    buffer_[frame_begin + i] = static_cast<char>(length_word >> (8 * i) & 0xff);
  }
  if (payload.size() >= viewed_size_min) {
    viewed_.push_back({buffer_.size(), payload});
  } else {
    buffer_ += payload;
  }
  buffer_.append(padding, '\0');
  size_ += length_word_size + record_size + padding;
}

std::span<const BytesView> FrameBuffer::parts() {
  parts_.clear();
  std::size_t taken = 0;
  for (const Viewed& viewed : viewed_) {
    parts_.push_back(BytesView(buffer_).substr(taken, viewed.buffer_before - taken));
    parts_.push_back(viewed.bytes);
    taken = viewed.buffer_before;
  }
  if (taken < buffer_.size()) parts_.push_back(BytesView(buffer_).substr(taken));
  return parts_;
}

void FrameBuffer::clear() {
  size_ = 0;
  buffer_.clear();
  viewed_.clear();
}

std::optional<std::size_t> decode_length_word(BytesView bytes) {
  if (bytes.size() < length_word_size) return std::nullopt;
  std::uint64_t length_word = 0;
  for (std::size_t i = 0; i < length_word_size; ++i) {
    length_word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  const std::uint64_t record_size = length_word & 0x00ff'ffff'ffff'ffff;
  const std::size_t padding = padding_of(record_size);
  // A length that nobody writes is damage, not the head of a record whose rest was lost.
  if (record_size == 0 || record_size > record_size_max || length_word >> 56 != (padding == 0 ? 0 : 0x80 | padding))
    return std::nullopt;
  return record_size;
}

Result<Frame, Damage> decode_frame(BytesView bytes) {
  const std::optional<std::size_t> announced = decode_length_word(bytes);
  if (!announced) return Damage{"a length word is malformed"};
  const std::size_t record_size = *announced;
  const std::size_t padding = padding_of(record_size);
  if (record_size + padding > bytes.size() - length_word_size) return Damage{"a record reaches beyond the file's end"};
  for (const char c : bytes.substr(length_word_size + record_size, padding)) {
    if (c != '\0') return Damage{"a record's padding is not zero"};
  }

  Decoder record(bytes.substr(length_word_size, record_size));
  Frame frame;
  frame.size = length_word_size + record_size + padding;
  const bool has_type = record.u64() == (1 << 3 | wire_varint);
  const std::uint64_t type = record.u64();
  const bool has_crc = record.u64() == (2 << 3 | wire_varint);
  const std::uint64_t crc = record.u64();
  if (!record.ok() || !has_type || !has_crc || crc > 0xffff'ffff) return Damage{"a record's head is malformed"};
  if (type < 1 || type > 5) return Damage{"a record has an unknown type"};
  frame.type = static_cast<RecordType>(type);
  frame.crc = static_cast<std::uint32_t>(crc);
  if (frame.type != RecordType::crc) {
    const bool has_data = record.u64() == (3 << 3 | wire_bytes);
    frame.data = record.bytes();
    if (!record.ok() || !has_data) return Damage{"a record's data is malformed"};
  }
  if (!record.at_end()) return Damage{"a record holds more than it should"};
  return frame;
}

bool follows(const Frame& frame, std::uint32_t crc_before) {
  return frame.crc == crc32c_extend(crc_before, frame.data);
}

std::optional<Metadata> decode_metadata(BytesView data) {
  Fields fields(data);
  const MemberId member_id(fields.number(1));
  const ClusterId cluster_id(fields.number(2));
  if (!fields.finished()) return std::nullopt;
  return Metadata{member_id, cluster_id};
}

std::optional<raft::Entry> decode_entry(BytesView data) {
  Fields fields(data);
  raft::Entry entry;
  const std::uint64_t type = fields.number(1);
  entry.term = Term(fields.number(2));
  entry.index = LogIndex(fields.number(3));
  const BytesView payload = fields.bytes(4);
  if (!fields.finished() || type > 2) return std::nullopt;
  entry.type = static_cast<raft::EntryType>(type);
  entry.data = Bytes::copy_of(payload);
  return entry;
}

std::optional<raft::HardState> decode_hard_state(BytesView data) {
  Fields fields(data);
  raft::HardState state;
  state.term = Term(fields.number(1));
  state.vote = MemberId(fields.number(2));
  state.commit = LogIndex(fields.number(3));
  if (!fields.finished()) return std::nullopt;
  return state;
}

std::optional<raft::Mark> decode_mark(BytesView data) {
  Fields fields(data);
  raft::Mark mark;
  mark.index = LogIndex(fields.number(1));
  mark.term = Term(fields.number(2));
  const std::optional<raft::ConfState> conf_state = decode_conf_state(fields.bytes(3));
  if (!fields.finished() || !conf_state) return std::nullopt;
  mark.conf_state = *conf_state;
  return mark;
}

}  // namespace metastore::storage

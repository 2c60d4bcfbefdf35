// The bytes of one segment of the log, as they come and with their checksums set right: no fuzzer finds a CRC-32C by
// chance.
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/crc32c.h"
#include "core/base/encoder.h"
#include "storage/files_memory.h"
#include "storage/wal_reader.h"
#include "tests/fuzz/property.h"

namespace metastore::storage {
namespace {

constexpr std::string_view name = "0000000000000000-0000000000000000.wal";

/// All records up to the end or the first refusal.
std::vector<Record> read(BytesView bytes, std::string& refusal) {
  MemoryFiles files;
  files.contents.emplace("wal/" + std::string(name), bytes);
  WalReader reader(files, "wal", {*parse_segment_name(name)});
  std::vector<Record> records;
  for (;;) {
    auto next = reader.next();
    if (!next) {
      refusal = next.error().message;
      PROPERTY(refusal.find(name) != std::string::npos);
      return records;
    }
    if (!next.value().has_value()) {
      PROPERTY(reader.tail().end <= bytes.size());
      return records;
    }
    records.push_back(*std::move(next).value());
  }
}

std::string encoded(const std::vector<Record>& records) {
  FrameBuffer frames(0);
  struct Visitor {
    FrameBuffer& frames;
    void operator()(const ChainValue&) { frames.add_crc(); }
    void operator()(const Metadata& metadata) { frames.add(metadata); }
    void operator()(const raft::Entry& entry) { frames.add(entry); }
    void operator()(const raft::HardState& state) { frames.add(state); }
    void operator()(const raft::Mark& mark) { frames.add(mark); }
  };
  for (const Record& record : records) std::visit(Visitor{frames}, record);
  std::string bytes;
  for (const BytesView part : frames.parts()) bytes.append(part);
  return bytes;
}

/// The frames that stand in `bytes`, each with the checksum that it should have.
std::string repaired(BytesView bytes) {
  std::string whole;
  std::uint32_t crc = 0;
  for (;;) {
    const auto frame = decode_frame(bytes);
    if (!frame) return whole;
    if (frame.value().type != RecordType::crc) crc = crc32c_extend(crc, frame.value().data);
    std::string record;
    record += '\x08';
    append_varint(record, static_cast<std::uint64_t>(frame.value().type));
    record += '\x10';
    append_varint(record, crc);
    if (!frame.value().data.empty()) {
      record += '\x1a';
      append_varint(record, frame.value().data.size());
      record += frame.value().data;
    }
    const std::size_t padding = (8 - record.size() % 8) % 8;
    std::uint64_t word = record.size();
    if (padding > 0) word |= (std::uint64_t{0x80} | padding) << 56;
    for (int i = 0; i < 8; ++i) whole += static_cast<char>(word >> (8 * i));
    whole += record;
    whole.append(padding, '\0');
    bytes.remove_prefix(frame.value().size);
  }
}

void check(BytesView bytes) {
  std::string refusal;
  const std::vector<Record> records = read(bytes, refusal);
  // What was read is what would be written: the same records, whatever zeros the first writer left out.
  PROPERTY(read(encoded(records), refusal) == records);
}

}  // namespace
}  // namespace metastore::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const metastore::BytesView bytes = metastore::fuzz::view(data, size);
  metastore::storage::check(bytes);
  metastore::storage::check(metastore::storage::repaired(bytes));
  return 0;
}

#include "sim/engine_sim.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/crc32c.h"
#include "sim/file_image.h"

namespace metastore::sim {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

constexpr std::string_view directory = "member/db";
constexpr std::string_view rows_path = "member/db/rows";
constexpr std::string_view staged_path = "member/db/staged";
constexpr std::string_view path_before = "member/db/rows.tmp";
/// The file begins with two slots that say how far the rows behind them reach. One is written, and synced, after the
/// other, and that first which is not known to be good, so that a write that fails leaves one.
constexpr std::uint64_t slots = 2;
constexpr std::uint64_t rows_begin = slots * sector_bytes;
/// Rows that nobody needs any more may be as many as the others, and so many bytes beyond.
constexpr std::uint64_t waste_bytes_max = 65'536;

struct Slot {
  std::uint64_t sequence = 0;
  std::uint64_t end = rows_begin;
  std::uint32_t checksum = 0;  ///< Of all bytes from rows_begin to `end`.
};

constexpr std::size_t field_bytes = 20;

std::string field(std::uint64_t number) {
  const std::string text = std::to_string(number);
  return std::string(field_bytes - text.size(), '0') + text;
}

std::string encode(const Slot& slot) {
  const std::string fields = field(slot.sequence) + field(slot.end) + field(slot.checksum);
  return fields + field(crc32c_extend(0, fields));
}

/// None if these bytes are damaged.
std::optional<Slot> decode_slot(BytesView bytes) {
  const auto number = [&bytes](std::size_t index) {
    const BytesView digits = bytes.substr(std::min(index * field_bytes, bytes.size()), field_bytes);
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  const Slot slot = {number(0), number(1), static_cast<std::uint32_t>(number(2))};
  return encode(slot) == bytes ? std::optional(slot) : std::nullopt;
}

class EngineSim final : public port::Engine {
 public:
  EngineSim(port::Files& files, EngineCounts& counts, std::string_view path)
      : files_(files), counts_(counts), path_(path) {}

  StorageStatus load() {
    if (!files_.exists(path_)) return Done{};
    StorageResult<std::unique_ptr<port::File>> file = files_.open(path_, port::OpenMode::read_write);
    if (!file) return file.error();
    const StorageResult<std::uint64_t> size = file.value()->size();
    if (!size) return size.error();
    std::string bytes(size.value(), '\0');
    const StorageResult<std::size_t> got = file.value()->read_at(0, bytes);
    if (!got) return got.error();
    std::optional<Slot> newest;
    for (std::uint64_t i = 0; i < slots && i * sector_bytes < bytes.size(); ++i) {
      const std::optional<Slot> slot = decode_slot(BytesView(bytes).substr(i * sector_bytes, field_bytes * 4));
      if (slot && (!newest || slot->sequence > newest->sequence)) {
        newest = slot;
        good_slot_ = i;
      }
    }
    // Without any rows the file ends with the slots.
    const std::uint64_t rows_end_max = std::max<std::uint64_t>(rows_begin, bytes.size());
    if (!newest || newest->end < rows_begin || newest->end > rows_end_max) return StorageError{path_ + " is damaged"};
    const BytesView rows =
        BytesView(bytes).substr(std::min<std::uint64_t>(rows_begin, bytes.size()), newest->end - rows_begin);
    if (crc32c_extend(0, rows) != newest->checksum) return StorageError{path_ + " is damaged"};
    tables_.clear();
    live_bytes_ = 0;
    change(rows);
    file_ = std::move(file).value();
    newest_ = *newest;
    ++counts_.reopened;
    return Done{};
  }

  StorageStatus write(const Checkpoint& checkpoint) override {
    const BytesView rows = checkpoint.rows.view();
    change(rows);
    const bool has_room = newest_.end + rows.size() < rows_begin + live_bytes_ * 2 + waste_bytes_max;
    const StorageStatus status = file_ != nullptr && has_room ? append(rows) : write_anew();
    if (status) ++counts_.checkpoints;
    return status;
  }

  StorageStatus read(Table table, port::RowVisitor& visitor) override {
    for (const auto& [key, value] : tables_[table]) {
      if (const StorageStatus status = visitor.row(key, value); !status) return status;
    }
    return Done{};
  }

  StorageResult<std::string> defragment() override {
    if (const StorageStatus status = write_anew(); !status) return status.error();
    return std::string();
  }

  StorageResult<std::unique_ptr<port::Engine>> stage() override {
    if (const StorageStatus status = drop_staged(); !status) return status.error();
    return std::unique_ptr<port::Engine>(new EngineSim(files_, counts_, staged_path));
  }

  StorageResult<std::unique_ptr<port::Engine>> staged() override {
    if (!files_.exists(staged_path)) return std::unique_ptr<port::Engine>();
    auto engine = std::make_unique<EngineSim>(files_, counts_, staged_path);
    if (const StorageStatus status = engine->load(); !status) return status.error();
    return std::unique_ptr<port::Engine>(std::move(engine));
  }

  StorageStatus check() override { return load(); }

  StorageStatus install(std::unique_ptr<port::Engine> staged) override {
    staged.reset();
    if (const StorageStatus status = files_.rename(staged_path, path_); !status) return status;
    if (const StorageStatus status = files_.sync_directory(directory); !status) return status;
    ++counts_.installed;
    return load();
  }

  StorageStatus drop_staged() override {
    if (!files_.exists(staged_path)) return Done{};
    return files_.remove(staged_path);
  }

  std::uint64_t file_bytes() override { return newest_.end; }

 private:
  /// First the rows, then the slots, which say that they count.
  StorageStatus append(BytesView rows) {
    const BytesView row_parts[] = {rows};
    if (const StorageStatus status = file_->write_at(newest_.end, row_parts); !status) return status;
    if (const StorageStatus status = file_->sync(); !status) return status;
    ++newest_.sequence;
    newest_.end += rows.size();
    newest_.checksum = crc32c_extend(newest_.checksum, rows);
    const std::string slot = encode(newest_);
    const BytesView slot_parts[] = {slot};
    for (std::uint64_t i = 0; i < slots; ++i) {
      good_slot_ = (good_slot_ + 1) % slots;
      if (const StorageStatus status = file_->write_at(good_slot_ * sector_bytes, slot_parts); !status) return status;
      if (const StorageStatus status = file_->sync(); !status) return status;
    }
    return Done{};
  }

  /// Beside the old file, in whose place it comes.
  StorageStatus write_anew() {
    RowWriter writer;
    for (const auto& [table, rows] : tables_) {
      for (const auto& [key, value] : rows) writer.put(table, key, value);
    }
    const Bytes rows = writer.take();
    if (files_.exists(path_before)) {
      if (const StorageStatus status = files_.remove(path_before); !status) return status;
    }
    StorageResult<std::unique_ptr<port::File>> file = files_.open(path_before, port::OpenMode::create);
    if (!file) return file.error();
    file_ = std::move(file).value();
    newest_ = {.sequence = newest_.sequence};
    if (const StorageStatus status = append(rows.view()); !status) return status;
    if (const StorageStatus status = files_.rename(path_before, path_); !status) return status;
    return files_.sync_directory(directory);
  }

  void change(BytesView rows) {
    RowReader reader(rows);
    while (const std::optional<Row> row = reader.next()) {
      auto& table = tables_[row->table];
      const auto [at, is_new] = table.try_emplace(std::string(row->key));
      if (!is_new) live_bytes_ -= at->first.size() + at->second.size();
      if (row->value) {
        at->second = *row->value;
        live_bytes_ += at->first.size() + at->second.size();
      } else {
        table.erase(at);
      }
    }
  }

  port::Files& files_;
  EngineCounts& counts_;
  const std::string path_;
  std::map<Table, std::map<std::string, std::string>> tables_;
  std::uint64_t live_bytes_ = 0;      ///< Of all keys and values.
  std::unique_ptr<port::File> file_;  ///< None before anything was written.
  Slot newest_;
  std::uint64_t good_slot_ = 0;  ///< Where it stands for certain.
};

}  // namespace

StorageResult<std::unique_ptr<port::Engine>> EnginesSim::open() {
  if (const StorageStatus status = files_.create_directory(directory); !status) return status.error();
  if (const StorageStatus status = files_.sync_directory("member"); !status) return status.error();
  auto engine = std::make_unique<EngineSim>(files_, counts_, rows_path);
  if (const StorageStatus status = engine->load(); !status) return status.error();
  return std::unique_ptr<port::Engine>(std::move(engine));
}

}  // namespace metastore::sim

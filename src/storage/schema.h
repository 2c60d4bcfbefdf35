// How rows lie in the engine's file, whatever library keeps it: their items, checksums and the format row. Pure. A row
// is one head item under its own key in its table, and further parts in a table of their own if its value is long, so
// that no item needs more than one page. Each item carries a CRC-32C over where it belongs and what it says. The format
// row counts all items and sums their checksums: a tree that lost or gained a whole page shows there (design D4).
#ifndef METASTORE_STORAGE_SCHEMA_H_
#define METASTORE_STORAGE_SCHEMA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/replica/checkpoint.h"

namespace metastore::storage {

/// The format that this program writes. A larger number in a file is a newer program's.
inline constexpr std::uint64_t format_version = 1;

/// In the order of their numbers. A table that a file lacks is empty.
inline constexpr std::array<Table, 5> tables = {Table::state, Table::records, Table::leases, Table::members,
                                                Table::alarms};
std::string_view table_name(Table table);
inline constexpr std::string_view parts_name = "parts";
inline constexpr std::string_view format_name = "format";

/// A key of a row has from 1 to this many bytes: LMDB takes 511, and a part's key is longer by 5.
inline constexpr std::size_t row_key_bytes_max = 506;
/// What an overflow page of 4096 bytes holds.
inline constexpr std::size_t item_bytes_max = 4080;

/// What has been stored: how many items, and the sum of their checksums.
struct Summary {
  std::uint64_t items = 0;
  std::uint64_t sum = 0;

  void add(std::uint32_t crc) {
    ++items;
    sum += crc;
  }
  void remove(std::uint32_t crc) {
    --items;
    sum -= crc;
  }
  bool operator==(const Summary&) const = default;
};

std::string encode_format(const Summary& summary);
/// Errors: half a sentence that says whether it is damaged or newer.
Result<Summary, std::string> decode_format(BytesView item);

/// The item under the row's own key: checksum, length of the value, as much of the value as fits.
std::size_t head_size(std::size_t value_size);
/// Writes head_size(value.size()) bytes at `out` and returns their checksum.
std::uint32_t write_head(Table table, BytesView key, BytesView value, char* out);

/// What a head says. `first` is where the value begins, or all of it.
struct Head {
  std::uint32_t crc = 0;
  std::size_t value_size = 0;
  BytesView first;
};
/// Errors: what is wrong with the item, half a sentence.
Result<Head, std::string_view> read_head(Table table, BytesView key, BytesView item);

/// How many parts a value has besides its head.
std::size_t part_count(std::size_t value_size);
/// The key of part `number`, counted from 0.
std::string part_key(Table table, BytesView key, std::size_t number);
/// The bytes of the value in part `number`.
BytesView part_of(BytesView value, std::size_t number);
/// Writes part.size() + part_header_bytes bytes at `out` and returns their checksum.
inline constexpr std::size_t part_header_bytes = 4;
std::uint32_t write_part(BytesView part_key, BytesView part, char* out);
/// What a part holds of a value, and its checksum.
struct Part {
  std::uint32_t crc = 0;
  BytesView bytes;
};
Result<Part, std::string_view> read_part(BytesView part_key, BytesView item);

/// "row 0000000000000002 of table leases", or its name in quotes if it is text.
std::string describe_row(Table table, BytesView key);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_SCHEMA_H_

// The names of a log's files: sequence number and the first index that the file may hold, as etcd names them. Pure.
#ifndef METASTORE_STORAGE_WAL_SEGMENT_H_
#define METASTORE_STORAGE_WAL_SEGMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/tagged.h"
#include "core/host/port/files.h"

namespace metastore::storage {

struct Segment {
  std::uint64_t sequence = 0;
  LogIndex first_index;
  bool operator==(const Segment&) const = default;
};

/// "0000000000000001-0000000000000a2f.wal"
std::string file_name(const Segment& segment);
std::optional<Segment> parse_segment_name(std::string_view name);

/// `name` in `directory`; "" is the root of a port::Files.
std::string path_in(std::string_view directory, std::string_view name);

/// The log's files in their order. Other names are not the log's and are left out.
/// Errors: a sequence number is missing or repeated.
port::StorageResult<std::vector<Segment>> list_segments(port::Files& files, std::string_view directory);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_WAL_SEGMENT_H_

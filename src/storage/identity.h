// Who this data directory is, in the small file member/identity: an id drawn once (design D5) and the incarnation,
// which is one larger at each boot and durable before the Replica is constructed (law 6). Plain text, for people.
#ifndef METASTORE_STORAGE_IDENTITY_H_
#define METASTORE_STORAGE_IDENTITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/host/port/files.h"

namespace metastore::storage {

struct Identity {
  std::uint64_t data_id = 0;
  std::uint64_t incarnation = 0;  ///< 0 until the log exists; from then on the log must exist.
  bool operator==(const Identity&) const = default;
};

std::string encode_identity(const Identity& identity);
/// None if the text is not exactly what encode_identity gives.
std::optional<Identity> decode_identity(std::string_view text);

/// None if the file does not exist. Errors: it is damaged, or of a version this program does not know.
port::StorageResult<std::optional<Identity>> read_identity(port::Files& files);
/// Replaces the file atomically. When it returns, the identity is durable.
port::StorageStatus write_identity(port::Files& files, const Identity& identity);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_IDENTITY_H_

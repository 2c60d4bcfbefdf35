#include "storage/identity.h"

#include <charconv>
#include <memory>

#include "core/base/crc32c.h"
#include "storage/remedy.h"

namespace metastore::storage {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

constexpr std::string_view path = "member/identity";
constexpr std::string_view path_before = "member/identity.tmp";
constexpr std::string_view version_name = "metastore-identity ";
constexpr std::uint64_t identity_version = 1;
constexpr std::size_t size_max = 256;

std::string hex(std::uint64_t value) {
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return std::string(digits, end);
}

/// Takes "name value\n" from the front of `text`.
std::optional<std::uint64_t> take_line(std::string_view& text, std::string_view name, int base) {
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos || !text.starts_with(name) || line_end < name.size()) return std::nullopt;
  const std::string_view digits = text.substr(name.size(), line_end - name.size());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  text.remove_prefix(line_end + 1);
  return value;
}

}  // namespace

std::string encode_identity(const Identity& identity) {
  std::string text = std::string(version_name) + std::to_string(identity_version) + "\ndata_id " +
                     hex(identity.data_id) + "\nincarnation " + std::to_string(identity.incarnation) + "\n";
  return text + "crc32c " + hex(crc32c_extend(0, text)) + "\n";
}

std::optional<Identity> decode_identity(std::string_view text) {
  std::string_view rest = text;
  take_line(rest, version_name, 10);
  const std::optional<std::uint64_t> data_id = take_line(rest, "data_id ", 16);
  const std::optional<std::uint64_t> incarnation = take_line(rest, "incarnation ", 10);
  if (!data_id || !incarnation) return std::nullopt;
  const Identity identity{*data_id, *incarnation};
  // One spelling: the version, the checksum and everything else are right if the text is what we would write.
  if (encode_identity(identity) != text) return std::nullopt;
  return identity;
}

StorageResult<std::optional<Identity>> read_identity(port::Files& files) {
  if (!files.exists(path)) return std::optional<Identity>();
  StorageResult<std::unique_ptr<port::File>> file = files.open(path, port::OpenMode::read);
  if (!file) return file.error();
  std::string text(size_max, '\0');
  const StorageResult<std::size_t> size = file.value()->read_at(0, text);
  if (!size) return size.error();
  text.resize(size.value());
  std::string_view rest = text;
  const std::optional<std::uint64_t> version = take_line(rest, version_name, 10);
  if (version && *version > identity_version) {
    return StorageError{std::string(path) + " has format " + std::to_string(*version) +
                        ", and this build of metastore knows formats up to " + std::to_string(identity_version) +
                        "; start a newer build on it"};
  }
  const std::optional<Identity> identity = decode_identity(text);
  if (!identity) return StorageError{std::string(path) + " is damaged" + remedy_for_damage};
  return identity;
}

StorageStatus write_identity(port::Files& files, const Identity& identity) {
  if (files.exists(path_before)) {
    if (const StorageStatus status = files.remove(path_before); !status) return status;
  }
  StorageResult<std::unique_ptr<port::File>> file = files.open(path_before, port::OpenMode::create);
  if (!file) return file.error();
  const std::string text = encode_identity(identity);
  const BytesView part = text;
  if (const StorageStatus status = file.value()->write_at(0, {&part, 1}); !status) return status;
  if (const StorageStatus status = file.value()->sync(); !status) return status;
  if (const StorageStatus status = files.rename(path_before, path); !status) return status;
  return files.sync_directory("member");
}

}  // namespace metastore::storage

// The API version that a client says it speaks (metadata "client-api-version"): a short text of fixed room, so that it
// goes along with each call without an allocation. It decides nothing; it is counted.
#ifndef METASTORE_API_CLIENT_VERSION_H_
#define METASTORE_API_CLIENT_VERSION_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace metastore::api {

class ClientVersion {
 public:
  /// etcd's word for a client that says nothing.
  ClientVersion() : ClientVersion("unknown") {}
  /// What does not fit is no version, and all such are one.
  explicit ClientVersion(std::string_view text) {
    if (text.size() > text_.size()) text = "other";
    std::copy(text.begin(), text.end(), text_.begin());
    size_ = static_cast<std::uint8_t>(text.size());
  }
  std::string_view text() const { return {text_.data(), size_}; }
  bool operator==(const ClientVersion&) const = default;

 private:
  std::array<char, 23> text_{};
  std::uint8_t size_ = 0;
};

}  // namespace metastore::api

#endif  // METASTORE_API_CLIENT_VERSION_H_

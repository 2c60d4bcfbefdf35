#include "server/identity_openssl.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace metastore::server {
namespace {

/// The first 8 bytes of the SHA-1 of `text`, big-endian.
std::uint64_t digest(std::string_view text) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < 8; ++i) first = first << 8 | hash[i];
  return first;
}

}  // namespace

MemberId member_id(std::vector<std::string> peer_urls, std::string_view cluster_token) {
  std::sort(peer_urls.begin(), peer_urls.end());
  std::string text;
  for (const std::string& url : peer_urls) text += url;
  return MemberId(digest(text.append(cluster_token)));
}

ClusterId cluster_id(std::vector<MemberId> members) {
  std::sort(members.begin(), members.end());
  std::string text;
  for (const MemberId member : members) {
    for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(member.value() >> shift);
  }
  return ClusterId(digest(text));
}

}  // namespace metastore::server

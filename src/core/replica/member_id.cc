#include "core/replica/member_id.h"

#include <algorithm>

#include "core/base/sha1.h"

namespace metastore {

MemberId member_id(std::vector<std::string> peer_urls, std::string_view cluster_token) {
  // Texts have a total order.
  std::sort(peer_urls.begin(), peer_urls.end());
  std::string text;
  for (const std::string& url : peer_urls) text += url;
  return MemberId(sha1_prefix(text.append(cluster_token)));
}

MemberId member_id(std::vector<std::string> peer_urls, WallTime added) {
  constexpr std::int64_t second = 1'000'000'000;
  return member_id(std::move(peer_urls), std::to_string(added.unix_nanoseconds / second));
}

ClusterId cluster_id(std::vector<MemberId> members) {
  std::sort(members.begin(), members.end());
  std::string text;
  for (const MemberId member : members) {
    for (int shift = 56; shift >= 0; shift -= 8) text += static_cast<char>(member.value() >> shift);
  }
  return ClusterId(sha1_prefix(text));
}

}  // namespace metastore

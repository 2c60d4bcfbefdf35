// How large the state is and how large it may become (design D2). Sizes are reckoned from what was applied, never a
// file's, so that nothing decided by them depends on the engine.
#ifndef METASTORE_CORE_REPLICA_QUOTA_H_
#define METASTORE_CORE_REPLICA_QUOTA_H_

#include <algorithm>
#include <cstdint>

namespace metastore {

class Quota {
 public:
  /// Negative: there is none.
  explicit Quota(std::int64_t bytes) : bytes_(bytes) {}

  void on_size(std::uint64_t in_use_bytes) { size_bytes_ = std::max(size_bytes_, in_use_bytes); }
  void on_defragmented(std::uint64_t in_use_bytes) { size_bytes_ = in_use_bytes; }

  std::int64_t bytes() const { return bytes_; }
  /// dbSize: the most that was in use since this member started or was last defragmented.
  std::uint64_t size_bytes() const { return size_bytes_; }

  /// Whether a state of `size_bytes` may take on what `cost` stands for, as etcd has it.
  bool has_room(std::uint64_t size_bytes, std::uint64_t cost) const {
    return cost == 0 || bytes_ < 0 || size_bytes + cost < static_cast<std::uint64_t>(bytes_);
  }

 private:
  const std::int64_t bytes_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace metastore

#endif  // METASTORE_CORE_REPLICA_QUOTA_H_

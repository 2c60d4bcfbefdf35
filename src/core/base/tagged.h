// Strong integers: a Term cannot be passed where a LogIndex is meant.
// A Tagged holds one integer, compares and prints as it does, and converts to it only by name.
#ifndef METASTORE_CORE_BASE_TAGGED_H_
#define METASTORE_CORE_BASE_TAGGED_H_

#include <compare>
#include <cstdint>

namespace metastore {

template <typename Tag, typename Int = std::uint64_t>
class Tagged {
 public:
  using Integer = Int;

  constexpr Tagged() = default;
  explicit constexpr Tagged(Int value) : value_(value) {}

  constexpr Int value() const { return value_; }
  constexpr Tagged next() const { return Tagged(value_ + 1); }
  constexpr Tagged previous() const { return Tagged(value_ - 1); }
  constexpr Tagged plus(Int distance) const { return Tagged(value_ + distance); }

  constexpr auto operator<=>(const Tagged&) const = default;

 private:
  Int value_{};
};

/// A position or count in the Raft log's time.
using Term = Tagged<struct TermTag>;
using LogIndex = Tagged<struct LogIndexTag>;

/// 0 means "nobody".
using MemberId = Tagged<struct MemberIdTag>;
using ClusterId = Tagged<struct ClusterIdTag>;

/// Names one RPC of a client, unary or a stream, within one run of a member.
using RequestId = Tagged<struct RequestIdTag>;

/// Rises by one for each LogWrite of one run of a member.
using LogWriteId = Tagged<struct LogWriteIdTag>;

/// The main revision of the store: 1 when empty, one more for each changing request.
using Revision = Tagged<struct RevisionTag, std::int64_t>;

/// 0 means "no lease".
using LeaseId = Tagged<struct LeaseIdTag, std::int64_t>;

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_TAGGED_H_

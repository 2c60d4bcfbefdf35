// Who wants to know of a key: watchers by the range they watch. A single key is found in a tree of keys, a range in a
// treap of intervals, so that an event costs the logarithm of the ranges and the watchers that match it, never all of
// them. Order of visits follows from ranges and insertions alone, never from addresses.
#ifndef METASTORE_CORE_WATCH_RANGE_INDEX_H_
#define METASTORE_CORE_WATCH_RANGE_INDEX_H_

#include <absl/container/btree_map.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/prng.h"
#include "core/mvcc/key_range.h"

namespace metastore::watch {

struct Watcher;

class RangeIndex {
 public:
  RangeIndex() : priorities_(0, "watch range index") {}

  void insert(const mvcc::KeyRange& range, Watcher& watcher);
  /// Requires: inserted with the same range.
  void erase(const mvcc::KeyRange& range, Watcher& watcher);

  /// Visits every watcher whose range contains `key`.
  template <typename Visit>
  void visit(BytesView key, Visit&& visit) const {
    if (const auto found = singles_.find(key); found != singles_.end()) {
      for (Watcher* watcher : found->second) visit(*watcher);
    }
    visit_ranges(root_.get(), key, visit);
  }

  bool empty() const { return singles_.empty() && root_ == nullptr; }
  /// Asserts heap order, key order and the maxima.
  void check_invariants() const;

 private:
  /// The end of [start, end), or no end.
  struct End {
    std::string bytes;
    bool is_open = false;
    bool is_after(BytesView key) const { return is_open || key < bytes; }
    bool operator==(const End&) const = default;
  };
  static bool is_less(const End& a, const End& b) { return !a.is_open && (b.is_open || a.bytes < b.bytes); }

  struct ByKey {
    using is_transparent = void;
    bool operator()(BytesView a, BytesView b) const { return a < b; }
  };

  struct Node {
    std::string start;
    End end;
    std::uint64_t priority = 0;
    std::vector<Watcher*> watchers;
    End greatest_end;  ///< Of this node and all below it.
    std::unique_ptr<Node> left;
    std::unique_ptr<Node> right;
  };
  using Tree = std::unique_ptr<Node>;

  template <typename Visit>
  static void visit_ranges(const Node* node, BytesView key, Visit& visit) {
    if (node == nullptr || !node->greatest_end.is_after(key)) return;
    visit_ranges(node->left.get(), key, visit);
    if (key < node->start) return;
    if (node->end.is_after(key)) {
      for (Watcher* watcher : node->watchers) visit(*watcher);
    }
    visit_ranges(node->right.get(), key, visit);
  }

  static int compare(const Node& node, BytesView start, const End& end);
  static void update(Node& node);
  static void rotate_right(Tree& tree);
  static void rotate_left(Tree& tree);
  void insert(Tree& tree, BytesView start, const End& end, Watcher& watcher);
  static void erase(Tree& tree, BytesView start, const End& end, Watcher& watcher);
  static void remove_root(Tree& tree);
  static void check(const Node& node);

  Prng priorities_;
  absl::btree_map<std::string, std::vector<Watcher*>, ByKey> singles_;
  Tree root_;
};

}  // namespace metastore::watch

#endif  // METASTORE_CORE_WATCH_RANGE_INDEX_H_

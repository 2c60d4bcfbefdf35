#include "core/watch/range_index.h"

#include <algorithm>
#include <utility>

#include "core/base/assert.h"

namespace metastore::watch {
namespace {

void take_out(std::vector<Watcher*>& watchers, const Watcher& watcher) {
  const auto found = std::find(watchers.begin(), watchers.end(), &watcher);
  ASSERT(found != watchers.end());
  watchers.erase(found);
}

}  // namespace

void RangeIndex::insert(const mvcc::KeyRange& range, Watcher& watcher) {
  if (range.is_single()) {
    singles_[std::string(range.key)].push_back(&watcher);
  } else {
    insert(root_, range.key, range.is_open() ? End{{}, true} : End{std::string(range.end), false}, watcher);
  }
}

void RangeIndex::erase(const mvcc::KeyRange& range, Watcher& watcher) {
  if (!range.is_single()) {
    return erase(root_, range.key, range.is_open() ? End{{}, true} : End{std::string(range.end), false}, watcher);
  }
  const auto found = singles_.find(range.key);
  ASSERT(found != singles_.end());
  take_out(found->second, watcher);
  if (found->second.empty()) singles_.erase(found);
}

int RangeIndex::compare(const Node& node, BytesView start, const End& end) {
  if (const int order = start.compare(node.start); order != 0) return order;
  if (end == node.end) return 0;
  return is_less(end, node.end) ? -1 : 1;
}

void RangeIndex::update(Node& node) {
  node.greatest_end = node.end;
  for (const Node* child : {node.left.get(), node.right.get()}) {
    if (child != nullptr && is_less(node.greatest_end, child->greatest_end)) node.greatest_end = child->greatest_end;
  }
}

void RangeIndex::rotate_right(Tree& tree) {
  Tree top = std::move(tree->left);
  tree->left = std::move(top->right);
  update(*tree);
  top->right = std::move(tree);
  tree = std::move(top);
  update(*tree);
}

void RangeIndex::rotate_left(Tree& tree) {
  Tree top = std::move(tree->right);
  tree->right = std::move(top->left);
  update(*tree);
  top->left = std::move(tree);
  tree = std::move(top);
  update(*tree);
}

void RangeIndex::insert(Tree& tree, BytesView start, const End& end, Watcher& watcher) {
  if (tree == nullptr) {
    tree = std::make_unique<Node>();
    tree->start = start;
    tree->end = end;
    tree->priority = priorities_.next();
    tree->watchers.push_back(&watcher);
    return update(*tree);
  }
  const int order = compare(*tree, start, end);
  if (order == 0) return tree->watchers.push_back(&watcher);
  insert(order < 0 ? tree->left : tree->right, start, end, watcher);
  update(*tree);
  if (tree->left != nullptr && tree->left->priority > tree->priority) rotate_right(tree);
  if (tree->right != nullptr && tree->right->priority > tree->priority) rotate_left(tree);
}

void RangeIndex::erase(Tree& tree, BytesView start, const End& end, Watcher& watcher) {
  ASSERT(tree != nullptr);
  const int order = compare(*tree, start, end);
  if (order == 0) {
    take_out(tree->watchers, watcher);
    if (tree->watchers.empty()) remove_root(tree);
  } else {
    erase(order < 0 ? tree->left : tree->right, start, end, watcher);
  }
  if (tree != nullptr) update(*tree);
}

void RangeIndex::remove_root(Tree& tree) {
  if (tree->left == nullptr || tree->right == nullptr) {
    Tree rest = std::move(tree->left != nullptr ? tree->left : tree->right);
    tree = std::move(rest);
    return;
  }
  if (tree->left->priority > tree->right->priority) {
    rotate_right(tree);
    remove_root(tree->right);
  } else {
    rotate_left(tree);
    remove_root(tree->left);
  }
  update(*tree);
}

void RangeIndex::check(const Node& node) {
  ASSERT(!node.watchers.empty());
  End greatest = node.end;
  for (const Node* child : {node.left.get(), node.right.get()}) {
    if (child == nullptr) continue;
    ASSERT(child->priority <= node.priority);
    ASSERT((compare(node, child->start, child->end) < 0) == (child == node.left.get()));
    if (is_less(greatest, child->greatest_end)) greatest = child->greatest_end;
    check(*child);
  }
  ASSERT(greatest == node.greatest_end);
}

void RangeIndex::check_invariants() const {
  if (root_ != nullptr) check(*root_);
}

}  // namespace metastore::watch

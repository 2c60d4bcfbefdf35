#include "core/mvcc/key_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/assert.h"

namespace metastore::mvcc {

KeyIndex::Position KeyIndex::lower_bound(BytesView key) const {
  if (leaves_.empty()) return {leaves_.end()};
  const auto leaf = std::prev(leaves_.upper_bound(key));
  const Entry* first = leaf->second->entries.data();
  const Entry* found = std::partition_point(first, first + leaf->second->size,
                                            [&](const Entry& entry) { return entry.newest.key() < key; });
  return {leaf, static_cast<std::size_t>(found - first)};
}

Record KeyIndex::newest(Position position, BytesView key) const {
  if (position.leaf == leaves_.end() || position.slot == position.leaf->second->size) return Record();
  const Record record = position.leaf->second->entries[position.slot].newest;
  return record.key() == key ? record : Record();
}

void KeyIndex::insert(Position position, Record record) {
  ++size_;
  const auto new_leaf = [&](BytesView bound) {
    return leaves_.emplace(std::string(bound), std::make_unique<Leaf>()).first;
  };
  if (leaves_.empty()) position.leaf = new_leaf("");
  Leaf* leaf = position.leaf->second.get();
  if (leaf->size == leaf->entries.size()) {
    // Keys that come in ascending order leave full leaves behind; elsewhere both halves get room.
    const std::size_t kept = position.slot == leaf->size ? leaf->size : leaf->size / 2;
    const BytesView bound = kept == leaf->size ? record.key() : leaf->entries[kept].newest.key();
    Leaf* right = new_leaf(bound)->second.get();
    for (std::size_t from = kept; from < leaf->size; ++from) {
      const Entry& entry = right->entries[right->size++] = leaf->entries[from];
      leaf->remove(entry);
      right->add(entry);
    }
    leaf->size = static_cast<std::uint32_t>(kept);
    if (position.slot > kept || kept == leaf->entries.size()) {
      position.slot -= kept;
      leaf = right;
    }
  }
  Entry* at = leaf->entries.data() + position.slot;
  std::move_backward(at, leaf->entries.data() + leaf->size, leaf->entries.data() + leaf->size + 1);
  *at = Entry(record);
  leaf->add(*at);
  ++leaf->size;
}

void KeyIndex::erase(Position position) {
  --size_;
  Leaf& leaf = *position.leaf->second;
  Entry* at = leaf.entries.data() + position.slot;
  leaf.remove(*at);
  std::move(at + 1, leaf.entries.data() + leaf.size, at);
  --leaf.size;
  const auto next = std::next(position.leaf);
  if (next == leaves_.end()) {
    if (leaf.size == 0) leaves_.erase(position.leaf);
    return;
  }
  const Leaf& right = *next->second;
  if (leaf.size > 0 && leaf.size + right.size > leaf.entries.size() / 2) return;
  std::copy_n(right.entries.begin(), right.size, leaf.entries.data() + leaf.size);
  leaf.size += right.size;
  leaf.existing += right.existing;
  leaf.newest_change = std::max(leaf.newest_change, right.newest_change);
  leaves_.erase(next);
}

std::size_t KeyIndex::memory_bytes() const {
  // A bound's long string and its share of the tree's nodes are an estimate.
  return leaves_.size() * (sizeof(Leaf) + 2 * sizeof(Leaves::value_type));
}

void KeyIndex::check_invariants() const {
  std::size_t size = 0;
  ASSERT(leaves_.empty() || leaves_.begin()->first.empty());
  for (auto leaf = leaves_.begin(); leaf != leaves_.end(); ++leaf) {
    const Leaf& entries = *leaf->second;
    ASSERT(entries.size > 0 && entries.size <= entries.entries.size());
    ASSERT(entries.entries.front().newest.key() >= leaf->first);
    ASSERT(std::next(leaf) == leaves_.end() || entries.entries[entries.size - 1].newest.key() < std::next(leaf)->first);
    std::uint32_t existing = 0;
    for (std::size_t i = 0; i < entries.size; ++i) {
      const Entry& entry = entries.entries[i];
      existing += entry.is_tombstone() ? 0 : 1;
      ASSERT(entry.change <= entries.newest_change);
      ASSERT(entry.change == Entry(entry.newest).change);
      ASSERT(i == 0 || entries.entries[i - 1].newest.key() < entry.newest.key());
    }
    ASSERT(existing == entries.existing);
    size += entries.size;
  }
  ASSERT(size == size_);
}

}  // namespace metastore::mvcc

// What a key-value store with revisions must answer, as the plainest code that says it: a map of keys, every former
// version of each, one number. Written from the contract (5.1 to 5.4) and from nothing of the core's.
// It knows no errors and no compaction: the checker asks it only what was answered with success.
#ifndef METASTORE_SIM_CHECKERS_MODEL_H_
#define METASTORE_SIM_CHECKERS_MODEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/operation.h"

namespace metastore::sim {

using Keys = std::map<std::string, KeyValue, std::less<>>;

class Model {
 public:
  struct Change {
    bool is_delete = false;
    KeyValue kv;  ///< Of a deletion: key and mod_revision alone.
  };

  std::int64_t revision() const { return revision_; }
  /// Everything that ever changed, in the order of revisions, and of keys within one.
  std::vector<Change> changes() const;
  const Keys& keys() const { return keys_; }

  /// What the request is answered now; its changes become the next revision.
  Response apply(const Request& request);
  /// Whether what was applied last changed anything.
  bool has_changed() const { return !former_.empty(); }
  /// Whether what was applied last should have been refused: it would keep what is not there.
  bool is_refused() const { return is_refused_; }
  /// Takes back what was applied last. Requires: nothing has ended since.
  void undo();
  Response read(const Get& get) const;
  /// Every key that hangs on the lease goes away, as the next revision. False if none does.
  bool end_lease(std::int64_t lease);
  /// The first revision after `revision` at which the key was deleted; the largest number if it never was.
  std::int64_t gone_after(std::string_view key, std::int64_t revision) const;
  /// The keys that hung on the lease at `revision`, sorted.
  std::vector<std::string> keys_of(std::int64_t lease, std::int64_t revision) const;
  /// The key as it was at `revision`, or null.
  const KeyValue* find(std::string_view key, std::int64_t revision) const;

 private:
  class Evaluation;
  using Former = std::map<std::string, KeyValue>;  ///< Version 0: there was no such key.
  struct Past {
    std::int64_t revision = 0;
    bool is_deleted = false;
    KeyValue kv;
  };

  std::int64_t revision_ = 1;
  Keys keys_;
  Former former_;  ///< Of what was applied last, as the next.
  bool is_refused_ = false;
  std::map<std::string, std::vector<Past>, std::less<>> past_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_CHECKERS_MODEL_H_

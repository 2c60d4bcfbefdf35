// One client of a member that is about to be killed: asks operations that it draws, many at a time, watches all keys,
// and tells the model what it hears. After a restart it reads back all that the model says must be there.
#ifndef METASTORE_TESTS_CRASH_SESSION_H_
#define METASTORE_TESTS_CRASH_SESSION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/prng.h"
#include "tests/bench/link.h"
#include "tests/crash/model.h"

namespace metastore::crash {

/// Draws operations on few keys, so that they meet. What it draws depends on its seed and on what was acknowledged.
class Load {
 public:
  explicit Load(std::uint64_t seed) : prng_(seed, "load") {}

  Operation next(const Model& model);
  Prng& prng() { return prng_; }

 private:
  std::string key();

  Prng prng_;
  std::uint64_t number_ = 0;
};

class Session {
 public:
  /// Connects. Watches from the revision behind the last one that was ever seen.
  Session(const std::string& endpoint, Model& model);

  /// Compares everything with the model, which then knows what became of the operations that were never answered.
  void check(Prng& prng);
  /// Keeps `in_flight` operations open for so long.
  void load(Load& load, std::size_t in_flight, std::int64_t microseconds);
  /// The member was killed: what it had sent before still counts.
  void drain();

 private:
  /// Sends, waits and receives; no longer than so long.
  void turn(std::int64_t microseconds);
  void take_answers();
  void take_events(const std::string& bytes);
  template <typename Response, typename Query>
  Response ask(const char* path, const Query& query);
  api::CallResult ask_raw(const char* path, const std::string& bytes);
  api::StreamId watch(std::int64_t revision);
  void check_history(std::int64_t revision);
  void check_lease(std::int64_t lease);

  Model& model_;
  bench::Link link_;
  api::StreamId watch_;
  std::map<std::uint64_t, std::uint64_t> operations_;  ///< By stream.
  std::optional<api::StreamId> asked_;                 ///< By ask_raw().
  std::optional<api::CallResult> answer_;
  std::optional<api::StreamId> second_watch_;
  Model::Events second_events_;
};

}  // namespace metastore::crash

#endif  // METASTORE_TESTS_CRASH_SESSION_H_

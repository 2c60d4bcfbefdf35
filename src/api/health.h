// What /health, /livez, /readyz and /version say (contract 2.2). Whether a member is healthy is found out as a client
// would: it reads a key. Values and pure functions; the gateway does the asking.
#ifndef METASTORE_API_HEALTH_H_
#define METASTORE_API_HEALTH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http1_session.h"
#include "core/base/bytes.h"
#include "core/host/port/member_facts.h"

namespace metastore::api {

/// "/health" of "/health?serializable=true".
std::string_view path_of(std::string_view target);
/// The values of all parameters `name` in the query of `target`, empty for one without '='. Escapes are not decoded: no
/// name or value asked for here has any.
std::vector<std::string_view> parameters(std::string_view target, std::string_view name);

/// What came of the checkups since the start.
struct HealthCounts {
  struct Outcomes {
    std::uint64_t successes = 0;
    std::uint64_t errors = 0;
    bool last = false;  ///< Whether the last one succeeded.
  };
  Outcomes health;  ///< Of /health, as a whole.
  /// Of /livez and /readyz, check by check; a name stands here once it was checked.
  std::map<std::pair<std::string_view, std::string_view>, Outcomes> checks;
};

/// One visit to a page of health: the checks it consists of, made one after another, and what they found.
class Checkup {
 public:
  /// The checkup that `target` asks for, with what can be told without the replica already found; none if that path is
  /// no page of health.
  static std::optional<Checkup> begin(std::string_view target, const port::MemberFacts& facts);

  /// The RangeRequest that the replica is to answer next; none once the response is ready.
  std::optional<Bytes> next_probe();
  /// What came of next_probe(): nothing if a range was answered.
  void on_answer(std::optional<std::string_view> error);
  /// Requires: next_probe() gave none.
  HttpResponse response() const;
  /// The same, as numbers.
  void count(HealthCounts& counts) const;

 private:
  enum class Check : std::uint8_t { data_corruption, serializable_read, linearizable_read, non_learner };
  struct Finding {
    Check check;
    std::string failure;  ///< Empty: passed, or not made yet.
  };

  static std::string_view name(Check check);
  static bool probes(Check check) { return check == Check::serializable_read || check == Check::linearizable_read; }

  std::string_view page_;     ///< A literal: "health", "livez" or "readyz".
  bool lists_checks_ = true;  ///< /health alone tells one reason instead.
  bool verbose_ = false;
  std::string reason_;  ///< Of /health.
  std::vector<Finding> findings_;
  std::size_t next_ = 0;  ///< The first finding that may still need a probe.
};

/// The page of /metrics.
HttpResponse metrics_response(std::string text);
HttpResponse version_response(const port::Versions& versions);
HttpResponse not_found();
/// Only GET is right.
HttpResponse method_not_allowed();

}  // namespace metastore::api

#endif  // METASTORE_API_HEALTH_H_

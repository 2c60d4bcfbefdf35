// What the door tells about the member without asking the replica: its owner knows.
#ifndef METASTORE_CORE_HOST_PORT_MEMBER_FACTS_H_
#define METASTORE_CORE_HOST_PORT_MEMBER_FACTS_H_

#include <string>
#include <vector>

namespace metastore::port {

/// For /version, each as "3.7.1". A cluster or storage version is empty until it is decided.
struct Versions {
  std::string server;
  std::string cluster;
  std::string storage;
};

class MemberFacts {
 public:
  virtual ~MemberFacts() = default;
  virtual bool has_leader() const = 0;
  virtual bool is_learner() const = 0;
  /// Names of the alarms that are raised, on any member: "NOSPACE", "CORRUPT".
  virtual std::vector<std::string> alarms() const = 0;
  virtual Versions versions() const = 0;
  /// All that the member counts, as Prometheus reads it.
  virtual std::string metrics() const = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_MEMBER_FACTS_H_

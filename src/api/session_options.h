// What the sessions of one door share: limits, the policy against abusive clients, and the source of call names.
#ifndef METASTORE_API_SESSION_OPTIONS_H_
#define METASTORE_API_SESSION_OPTIONS_H_

#include <cstdint>

#include "core/base/limits.h"
#include "core/base/tagged.h"
#include "core/base/time.h"

namespace metastore::api {

/// A stream of one HTTP/2 connection, by its number on the wire.
using StreamId = Tagged<struct StreamIdTag, std::int32_t>;

struct SessionOptions {
  Limits limits;
  Duration keepalive_min_time = Duration::seconds(5);  ///< A client's pings come no faster (--grpc-keepalive-min-time).
  Duration keepalive_interval = Duration::seconds(7200);  ///< Silence until we ping (--grpc-keepalive-interval).
  Duration keepalive_timeout = Duration::seconds(20);     ///< Silence after that (--grpc-keepalive-timeout).
  Duration closing_timeout = Duration::seconds(5);        ///< For the peer to close after we did.

  /// How long a client may leave what it began unfinished, or what it is owed untaken.
  Duration client_deadline() const {
    return Duration::milliseconds(static_cast<std::int64_t>(limits.client_deadline_ms));
  }
  std::uint64_t message_bytes_max() const { return limits.request_bytes_max + limits.receive_slack_bytes; }
};

/// Names calls 1, 2, 3 ... over all sessions of one member, so that a name is never given twice in a run.
class RequestIds {
 public:
  RequestId take() { return last_ = last_.next(); }
  RequestId last() const { return last_; }

 private:
  RequestId last_;
};

}  // namespace metastore::api

#endif  // METASTORE_API_SESSION_OPTIONS_H_

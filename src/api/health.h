// What /health and /version say (contract 2.2). Whether a member is healthy is found out as a client would: it reads a
// key. Pure functions; the gateway does the asking.
#ifndef METASTORE_API_HEALTH_H_
#define METASTORE_API_HEALTH_H_

#include <string_view>

#include "api/http1_session.h"
#include "core/base/bytes.h"
#include "core/host/port/member_facts.h"

namespace metastore::api {

/// "/health" of "/health?serializable=true".
std::string_view path_of(std::string_view target);
/// Whether the query of `target` has `name=value`. Escapes are not decoded: no name or value asked for here has any.
bool has_parameter(std::string_view target, std::string_view name, std::string_view value);

/// The RangeRequest that probes the member, as protobuf.
Bytes health_probe(bool serializable);
/// 200 for an empty `reason`, else 503.
HttpResponse health_response(std::string_view reason);
HttpResponse version_response(const port::Versions& versions);
HttpResponse not_found();
/// Only GET is right.
HttpResponse method_not_allowed();

}  // namespace metastore::api

#endif  // METASTORE_API_HEALTH_H_

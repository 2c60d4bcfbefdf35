// Requests as words of a scenario, whole and exact, unlike describe(), which is for reading:
//   put k value=v [fill=N] [prev_kv] [lease=N]      range k [end=K|to_end] [limit=N] [revision=N] [serializable] ...
//   delete k [end=K|to_end] [prev_kv]               txn if version k = 1 then { put k value=v } else { range k }
//   compact 7 [physical]    grant 7 ttl=2    revoke 7    time_to_live 7 [keys]    leases
//   hash_kv [revision=N]    alarms    disarm 4097    defragment    hash_state
#ifndef METASTORE_SIM_REQUEST_TEXT_H_
#define METASTORE_SIM_REQUEST_TEXT_H_

#include <optional>
#include <string>

#include "sim/operation.h"
#include "sim/words.h"

namespace metastore::sim {

std::string request_text(const Request& request);
/// Takes all words; none if they are no request.
std::optional<Request> parse_request(WordReader& words);

/// "k", "k end=K" or "k to_end".
std::string keys_text(const KeyRange& keys);
KeyRange take_keys(WordReader& words);

}  // namespace metastore::sim

#endif  // METASTORE_SIM_REQUEST_TEXT_H_

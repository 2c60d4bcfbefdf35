// How many descriptors this process may have. Sockets must never take the last of them: a member that cannot open its
// next file has to stop, so the door is told how many connections leave enough.
#ifndef METASTORE_NET_DESCRIPTORS_POSIX_H_
#define METASTORE_NET_DESCRIPTORS_POSIX_H_

#include "core/base/limits.h"

namespace metastore::net {

/// Raises the soft limit of descriptors to the hard one, and returns `limits` with no more connections than leave
/// files, listeners and threads their own.
Limits with_room_for_files(Limits limits);

}  // namespace metastore::net

#endif  // METASTORE_NET_DESCRIPTORS_POSIX_H_

// Whether an LMDB file can be trusted. LMDB's pages carry no checksums: on a damaged file it dies by SIGBUS, SIGSEGV or
// an assertion, or gives wrong data. So before the member opens it, a forked child reads every row of it and compares
// what it finds with the format row; however the child dies, the answer is a typed error. Changes nothing.
#ifndef METASTORE_STORAGE_ENGINE_CHECK_LMDB_H_
#define METASTORE_STORAGE_ENGINE_CHECK_LMDB_H_

#include <string>

#include "core/host/port/files.h"

namespace metastore::storage {

/// Reads all of it, here: to be called in a process that may die.
port::StorageStatus check(const std::string& path);
/// The same in a forked child.
port::StorageStatus check_in_child(const std::string& path);

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_ENGINE_CHECK_LMDB_H_

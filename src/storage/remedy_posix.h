// What a person can do about a system call that failed, as the end of a sentence. It never says to try again as it is:
// what failed once is not repeated, and recovery decides what is true (design, law 4).
#ifndef METASTORE_STORAGE_REMEDY_POSIX_H_
#define METASTORE_STORAGE_REMEDY_POSIX_H_

#include <cerrno>

namespace metastore::storage {

inline const char* remedy_for(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; make room on its disk and start again";
    case EIO:
      // LMDB says so, too, when a full disk took a part of a write.
      return "; its disk is full or broken: make room or replace it, and start again";
    case EROFS:
    case EACCES:
    case EPERM:
      return "; make it writable for this user and start again";
    case EFBIG:
      return "; raise the limit of a file's size (ulimit -f) and start again";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files (ulimit -n) and start again";
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return "; put it right, or choose another data directory";
    default:
      return "; mend that and start again";
  }
}

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_REMEDY_POSIX_H_

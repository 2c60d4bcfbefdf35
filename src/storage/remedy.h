// What a person can do about data that cannot be trusted, as the end of a sentence. One wording for all of storage, so
// that every refusal ends with a way out.
#ifndef METASTORE_STORAGE_REMEDY_H_
#define METASTORE_STORAGE_REMEDY_H_

namespace metastore::storage {

inline constexpr const char* remedy_for_damage =
    "; nothing was changed. Put back a copy of the whole data directory, or remove this member from its cluster and "
    "add it again with an empty one";

}  // namespace metastore::storage

#endif  // METASTORE_STORAGE_REMEDY_H_

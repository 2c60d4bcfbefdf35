// One change of one key, as a view over one packed allocation: a small header, then the bytes of an encoded
// mvccpb.KeyValue, so that range replies and watch events copy them as they are. A tombstone carries only its key and
// mod_revision, which is what a DELETE event shows. A Record owns nothing: it is good until the store next runs
// compact_some() or drops the transaction that wrote it.
//
//   flags | previous | far, far_main | ordinal | sub | size | KeyValue message, `size` bytes
//         | chained  | far           | chained |
//
// The records of one key form a chain from the newest to the oldest, through all its generations. `ordinal` counts the
// links to the key's first record; every 16th record has a far link too, that skips 16, 256, 4,096 ... records, so that
// an old revision of a busy key is found in a logarithm's time. The store follows a far link only by its revision,
// because its target may have been compacted.
#ifndef METASTORE_CORE_MVCC_RECORD_H_
#define METASTORE_CORE_MVCC_RECORD_H_

#include <cstddef>
#include <cstdint>

#include "core/base/bytes.h"
#include "core/base/tagged.h"
#include "core/mvcc/revision.h"

namespace metastore::mvcc {

/// What a record is made of.
struct RecordFields {
  BytesView key;
  Revision create_revision;
  RevisionPair mod;
  std::int64_t version = 0;
  BytesView value;
  LeaseId lease;
  bool tombstone = false;
};

/// The fields of a record's message, viewing it; the place within the revision and the tombstone stand elsewhere.
/// False if it is not the message that a record would hold.
bool parse(BytesView message, RecordFields& out);

class Record {
 public:
  Record() = default;
  explicit Record(char* data) : data_(data) {}

  explicit operator bool() const { return data_ != nullptr; }
  /// The same record, not an equal one.
  bool operator==(const Record&) const = default;

  BytesView key() const;
  Revision create_revision() const { return Revision(integer(2)); }
  Revision mod_revision() const { return Revision(integer(3)); }
  std::int64_t version() const { return integer(4); }
  BytesView value() const;
  LeaseId lease() const { return LeaseId(integer(6)); }
  bool tombstone() const;
  RevisionPair revision() const;
  /// The mvccpb.KeyValue message.
  BytesView encoded() const;

  /// What follows is for the store.
  struct Far {
    char* target = nullptr;
    Revision main;
  };
  static std::size_t allocation_size(const RecordFields& fields, Record previous);
  /// Writes a record into `memory`. Requires: allocation_size(fields, previous) bytes there.
  static Record write(char* memory, const RecordFields& fields, Record previous, Revision compacted);
  std::size_t allocation_size() const;
  std::uint64_t ordinal() const;
  Record previous() const;
  Far far() const;
  void forget_previous();
  char* data() const { return data_; }

 private:
  std::int64_t integer(int field) const;

  char* data_ = nullptr;
};

}  // namespace metastore::mvcc

#endif  // METASTORE_CORE_MVCC_RECORD_H_

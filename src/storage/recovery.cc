#include "storage/recovery.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/replica/checkpoints.h"
#include "storage/log_replay.h"
#include "storage/remedy.h"
#include "storage/schema.h"
#include "storage/wal_reader.h"

namespace metastore::storage {

using port::StorageError;
using port::StorageResult;
using port::StorageStatus;

namespace {

constexpr std::string_view member_directory = "member";
constexpr std::string_view wal_directory = "member/wal";
constexpr std::string_view engine_directory = "member/db";
constexpr std::string_view etcd_database = "member/snap/db";

StorageStatus make_directories(port::Files& files) {
  if (const StorageStatus status = files.create_directory(member_directory); !status) return status;
  if (const StorageStatus status = files.sync_directory(""); !status) return status;
  if (const StorageStatus status = files.create_directory(wal_directory); !status) return status;
  return files.sync_directory(member_directory);
}

struct ReadLog {
  Wal::Position position;
  raft::Recovered recovered;
};

/// Which segment has to be read first: what the checkpoint lacks must be read, and its last entry, which must fit; what
/// lies before is read only as far as it is kept for slow followers.
std::size_t first_needed(const std::vector<Segment>& segments, LogIndex checkpoint, const Limits& limits) {
  std::size_t first = segments.size() - 1;
  const auto is_enough = [&] {
    const LogIndex begin = segments[first].first_index;
    if (begin > checkpoint) return false;
    return checkpoint.value() - begin.value() >= limits.log_entries_kept ||
           (segments.size() - 1 - first) * limits.wal_segment_bytes >= limits.log_bytes_max;
  };
  while (first > 0 && !is_enough()) --first;
  return first;
}

StorageResult<ReadLog> read_log(port::Files& files, std::vector<Segment> segments, const raft::Mark& checkpoint,
                                const Limits& limits) {
  const std::size_t first = first_needed(segments, checkpoint.index, limits);
  LogReplay replay(segments[first].first_index, checkpoint, first > 0, limits);
  WalReader reader(files, std::string(wal_directory),
                   {segments.begin() + static_cast<std::ptrdiff_t>(first), segments.end()});
  ReadLog log;
  const auto refused = [&reader](std::string_view reason, const WalReader::Place& where) {
    return StorageError{"the log holds what no member writes, in " + reader.describe(where) + ": " +
                        std::string(reason) + remedy_for_damage};
  };

  struct Placed {
    Record record;
    WalReader::Place where;
  };
  std::vector<Placed> batch;
  while (true) {
    StorageResult<std::optional<Record>> next = reader.next();
    if (!next) return next.error();
    if (!next.value()) break;
    Record& record = *next.value();
    if (const Metadata* metadata = std::get_if<Metadata>(&record)) log.position.metadata = *metadata;
    if (reader.in_head() && !batch.empty()) return refused("its segment ends within a batch", batch.front().where);
    const bool ends_batch = reader.in_head() || std::holds_alternative<raft::HardState>(record);
    batch.push_back({std::move(record), reader.place()});
    if (!ends_batch) continue;
    for (const Placed& placed : batch) {
      if (const auto reason = replay.take(placed.record)) return refused(*reason, placed.where);
    }
    batch.clear();
  }
  if (const auto reason = replay.finish()) return refused(*reason, reader.place());
  log.position.tail = reader.tail();
  log.position.segments = std::move(segments);
  log.position.hard_state = replay.hard_state();
  log.position.last_index = replay.last_index();
  log.recovered = replay.release();
  return log;
}

/// Puts the engine's rows together.
class ImageLoader final : public port::RowVisitor {
 public:
  StorageResult<std::optional<Image>> load(port::Engine& engine) {
    for (const Table table : tables) {
      table_ = table;
      if (const StorageStatus status = engine.read(table, *this); !status) return status.error();
    }
    if (const Status<std::string> status = image_.finish(); !status) return refused(status.error());
    if (image_.empty()) return std::optional<Image>();
    return std::optional<Image>(std::move(image_));
  }

  StorageStatus row(BytesView key, BytesView value) override {
    const Status<std::string> status = image_.take(table_, key, value);
    if (!status) return refused(status.error());
    return Done{};
  }

 private:
  static StorageError refused(const std::string& why) {
    return StorageError{std::string(engine_directory) + " holds what no member writes: " + why + remedy_for_damage};
  }

  Image image_;
  Table table_ = Table::state;
};

/// What the rows of an engine stand for, without looking at the others.
class AppliedReader final : public port::RowVisitor {
 public:
  StorageStatus row(BytesView key, BytesView value) override {
    if (key != row_keys::applied) return Done{};
    Decoder in(value);
    index = in.tagged<LogIndex>();
    term = in.tagged<Term>();
    return Done{};
  }

  LogIndex index;
  Term term;
};

/// The log begins at the mark of a snapshot whose rows the engine has beside its own: then the power went between the
/// two steps of installing it (design, law 3). Returns whether that was so; it is done then.
StorageResult<bool> finish_install(port::Engine& engine, const raft::Mark& mark) {
  StorageResult<std::unique_ptr<port::Engine>> staged = engine.staged();
  if (!staged) return staged.error();
  if (staged.value() == nullptr) return false;
  AppliedReader applied;
  if (const StorageStatus status = staged.value()->read(Table::state, applied); !status) return status.error();
  if (applied.index != mark.index || applied.term != mark.term) return false;
  if (const StorageStatus status = engine.install(std::move(staged).value()); !status) return status.error();
  return true;
}

/// Whether the log goes on where the checkpoint ends (design, law 2). Otherwise one of them is not this member's, or
/// not its newest.
StorageStatus check_fit(const std::optional<Image>& image, const raft::Recovered& log) {
  const LogIndex first = log.compacted.index;
  const LogIndex last = log.entries.empty() ? first : log.entries.back().index;
  const raft::Mark applied = image ? image->applied : raft::Mark{};
  const std::string checkpoint =
      "the checkpoint in " + std::string(engine_directory) + " ends at entry " + std::to_string(applied.index.value());
  if (applied.index < first) {
    return StorageError{checkpoint + ", but the log in " + std::string(wal_directory) + " begins behind entry " +
                        std::to_string(first.value()) + ": the checkpoint is gone or an old one" + remedy_for_damage};
  }
  if (applied.index > last) {
    return StorageError{checkpoint + ", but the log in " + std::string(wal_directory) + " ends at entry " +
                        std::to_string(last.value()) + ": its newest segments are gone or old ones" +
                        remedy_for_damage};
  }
  const Term term =
      applied.index == first ? log.compacted.term : log.entries[applied.index.value() - first.value() - 1].term;
  if (applied.index == LogIndex(0) || applied.term == term) return Done{};
  return StorageError{checkpoint + " of term " + std::to_string(applied.term.value()) + ", where the log in " +
                      std::string(wal_directory) + " has term " + std::to_string(term.value()) +
                      ": they are not of one member" + remedy_for_damage};
}

}  // namespace

StorageResult<bool> holds_member(port::Files& files) {
  if (!files.exists(wal_directory)) return false;
  const StorageResult<std::vector<Segment>> segments = list_segments(files, wal_directory);
  if (!segments) return segments.error();
  return !segments.value().empty();
}

StorageResult<Recovery> recover(port::Files& files, port::Engines& engines, const Limits& limits,
                                const NewMember& new_member) {
  if (files.exists(etcd_database)) {
    return StorageError{"the data directory is etcd's own: it has " + std::string(etcd_database) +
                        ", which metastore cannot serve; choose another data directory"};
  }
  if (const StorageStatus status = make_directories(files); !status) return status.error();
  const StorageResult<std::optional<Identity>> identity = read_identity(files);
  if (!identity) return identity.error();
  StorageResult<std::vector<Segment>> segments = list_segments(files, wal_directory);
  if (!segments) return segments.error();

  Recovery recovery;
  recovery.created = segments.value().empty();
  recovery.identity = identity.value().value_or(Identity{new_member.data_id, 0});
  if (recovery.created) {
    if (recovery.identity.incarnation > 0) {
      return StorageError{"this member has run before, but its log in " + std::string(wal_directory) + " is gone" +
                          remedy_for_damage};
    }
    if (const StorageStatus status = write_identity(files, recovery.identity); !status) return status.error();
    const StorageStatus status = Wal::create(files, std::string(wal_directory), new_member.metadata, new_member.first);
    if (!status) return status.error();
    segments = list_segments(files, wal_directory);
    if (!segments) return segments.error();
  } else if (!identity.value()) {
    return StorageError{
        "the data directory has a log but no member/identity: it was written by etcd, or the file is "
        "gone; put it back, or choose another data directory"};
  }

  StorageResult<std::unique_ptr<port::Engine>> engine = engines.open();
  if (!engine) return engine.error();
  StorageResult<std::optional<Image>> image = ImageLoader().load(*engine.value());
  if (!image) return image.error();
  const auto applied = [&image] { return image.value() ? image.value()->applied : raft::Mark{}; };
  StorageResult<ReadLog> log = read_log(files, segments.value(), applied(), limits);
  if (!log) return log.error();
  if (applied().index < log.value().recovered.compacted.index) {
    const StorageResult<bool> is_installed = finish_install(*engine.value(), log.value().recovered.compacted);
    if (!is_installed) return is_installed.error();
    if (is_installed.value()) {
      image = ImageLoader().load(*engine.value());
      if (!image) return image.error();
      log = read_log(files, segments.value(), applied(), limits);
      if (!log) return log.error();
    }
  }
  if (log.value().position.last_index == LogIndex(0) && !new_member.first.append.empty()) {
    // They were durable before the segment got its name: what looks torn is damage.
    return StorageError{"the log is damaged in " +
                        path_in(wal_directory, file_name(log.value().position.segments.front())) +
                        ": it has lost its first entries" + remedy_for_damage};
  }
  if (const StorageStatus status = check_fit(image.value(), log.value().recovered); !status) return status.error();
  if (const StorageStatus status = engine.value()->drop_staged(); !status) return status.error();
  const Wal::Position& position = log.value().position;
  StorageResult<std::unique_ptr<Wal>> wal = Wal::resume(files, std::string(wal_directory), limits, position);
  if (!wal) return wal.error();
  ++recovery.identity.incarnation;
  if (const StorageStatus status = write_identity(files, recovery.identity); !status) return status.error();

  recovery.metadata = position.metadata;
  recovery.torn = position.tail.torn;
  recovery.recovered = {.log = std::move(log.value().recovered), .image = std::move(image).value()};
  recovery.wal = std::move(wal).value();
  recovery.engine = std::move(engine).value();
  return recovery;
}

}  // namespace metastore::storage

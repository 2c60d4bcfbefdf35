// A replica for tests: one member with a disk that answers only when told to, and clients that keep what they get.
#ifndef METASTORE_CORE_REPLICA_DRIVER_TEST_H_
#define METASTORE_CORE_REPLICA_DRIVER_TEST_H_

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/proto/rpc.pb.h"
#include "core/replica/replica.h"

namespace metastore::testing {

inline Config test_config() {
  return {.member = MemberId(7), .cluster = ClusterId(9), .incarnation = 1, .name = "m1", .client_urls = {"http://c"}};
}

inline Recovered founded() {
  Recovered recovered;
  recovered.log.hard_state = {Term(1), MemberId(), LogIndex(1)};
  recovered.log.entries = bootstrap_entries({{.id = MemberId(7), .name = "m1", .peer_urls = {"http://p"}}});
  return recovered;
}

template <typename Message>
Bytes encoded(const Message& message) {
  return Bytes::copy_of(message.SerializeAsString());
}

inline Bytes put(const std::string& key, const std::string& value) {
  etcdserverpb::PutRequest request;
  request.set_key(key);
  request.set_value(value);
  return encoded(request);
}

inline Bytes grant(std::int64_t id, std::int64_t ttl) {
  etcdserverpb::LeaseGrantRequest request;
  request.set_id(id);
  request.set_ttl(ttl);
  return encoded(request);
}

inline Bytes range(const std::string& key, bool serializable = false) {
  etcdserverpb::RangeRequest request;
  request.set_key(key);
  request.set_serializable(serializable);
  return encoded(request);
}

/// One member with a disk that answers only when told to.
struct Driver {
  explicit Driver(const Config& config_ = test_config(), Recovered recovered = founded(),
                  Instant start = Instant::from_nanoseconds(1'000'000'000))
      : config(config_), now(start), begun(recovered.log), replica(config, std::move(recovered), now) {}

  void turn(std::vector<Event> events = {}) {
    Effects effects;
    if (now >= wake_at) replica.step({now, Woken{}}, effects);
    for (Event& event : events) replica.step({now, std::move(event)}, effects);
    replica.step({now, BatchEnded{}}, effects);
    wake_at = effects.wake_at;
    for (raft::LogWrite& write : effects.log_writes) log.push_back(std::move(write));
    for (raft::Envelope& message : effects.messages) sent.push_back(std::move(message));
    if (effects.peers.has_value()) peers = std::move(*effects.peers);
    for (Reply& reply : effects.replies) replies.push_back(std::move(reply));
    for (Chunk& chunk : effects.chunks) chunks.push_back(std::move(chunk));
    for (const StreamEnd& end : effects.stream_ends) stream_ends.push_back(end);
    if (effects.defragment) ++defragmentations;
    for (ImageStep& step : effects.image_steps) image_steps.push_back(std::move(step));
    if (effects.checkpoint.has_value()) {
      REQUIRE(!checkpoint.has_value());
      checkpoint = std::move(effects.checkpoint);
    }
    if (checks_invariants) replica.check_invariants();
  }

  /// The disk catches up, again and again, until nothing is left to do.
  void settle() {
    turn();
    while (written < log.size() || wake_at <= now || checkpoint.has_value() ||
           (!image_steps.empty() && image_steps_allowed > 0)) {
      std::vector<Event> events;
      if (written < log.size()) events.push_back(LogWritten{log.back().id});
      written = log.size();
      if (checkpoint.has_value()) events.push_back(CheckpointWritten{write_checkpoint()});
      for (; !image_steps.empty() && image_steps_allowed > 0; --image_steps_allowed) {
        if (auto event = take(image_steps.front())) events.push_back(*std::move(event));
        image_steps.pop_front();
      }
      turn(std::move(events));
    }
  }

  void lead() {
    now = now + Duration::seconds(2);
    settle();
    REQUIRE(replica.status().is_leader);
  }

  ClientRequest request(std::uint64_t id, kv::Method method, Bytes message, Instant deadline = Instant::never()) {
    return {RequestId(id), method, std::move(message), deadline};
  }

  bool has_answered(std::uint64_t id) const {
    return std::any_of(replies.begin(), replies.end(), [id](const Reply& reply) { return reply.id == RequestId(id); });
  }

  std::optional<ErrorCode> error(std::uint64_t id) {
    for (const Reply& reply : replies) {
      if (reply.id == RequestId(id) && reply.result.index() == 1) return std::get<ErrorCode>(reply.result);
    }
    return std::nullopt;
  }

  template <typename Message>
  std::optional<Message> answer(std::uint64_t id) {
    for (const Reply& reply : replies) {
      if (reply.id != RequestId(id) || reply.result.index() != 0) continue;
      Message message;
      const Bytes& bytes = std::get<Bytes>(reply.result);
      REQUIRE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
      return message;
    }
    return std::nullopt;
  }

  /// All messages that the stream was sent since the last call.
  template <typename Message>
  std::vector<Message> received(RequestId id) {
    std::vector<Message> messages;
    std::string bytes;
    std::erase_if(chunks, [&](const Chunk& chunk) {
      if (chunk.id != id) return false;
      for (const Bytes& part : chunk.parts) bytes += part.view();
      if (chunk.message_bytes > 0) expected = chunk.message_bytes;
      if (bytes.size() < expected) return true;
      REQUIRE(bytes.size() == expected);
      REQUIRE(messages.emplace_back().ParseFromString(bytes));
      bytes.clear();
      return true;
    });
    return messages;
  }

  /// The engine does one step towards another state.
  std::optional<Event> take(const ImageStep& step) {
    if (step.kind == ImageStep::Kind::drop) {
      staged.clear();
      return std::nullopt;
    }
    if (step.kind == ImageStep::Kind::install) {
      REQUIRE(!checkpoint.has_value());
      REQUIRE(written == log.size());
      rows = std::exchange(staged, {});
      return ImageInstalled{step.image};
    }
    if (step.parts == 1) staged.clear();
    RowReader reader(step.rows.view());
    while (const auto row = reader.next()) {
      staged.insert_or_assign({row->table, std::string(row->key)}, std::string(*row->value));
    }
    return ImageStaged{step.image, step.parts};
  }

  /// The engine takes the checkpoint that is under way.
  LogIndex write_checkpoint() {
    RowReader reader(checkpoint->rows.view());
    while (const auto row = reader.next()) {
      const std::pair key(row->table, std::string(row->key));
      if (row->value.has_value()) {
        rows.insert_or_assign(key, std::string(*row->value));
      } else {
        const bool was_there = rows.erase(key) > 0;
        CHECK((was_there || row->table != Table::records));
      }
    }
    const LogIndex applied = checkpoint->applied_index;
    checkpoint.reset();
    return applied;
  }
  /// The same as recovered(), from the checkpoint on, or from the snapshot whose mark begins the log.
  Recovered recovered_with_image() {
    Recovered result = recovered();
    if (rows.empty() || image_of(rows).applied.index < result.log.compacted.index) {
      if (!staged.empty() && image_of(staged).applied == result.log.compacted) rows = std::exchange(staged, {});
    }
    if (!rows.empty()) result.image = image_of(rows);
    return result;
  }

  /// What a disk that has everything gives back at the next start.
  Recovered recovered() const {
    Recovered result;
    result.log = begun;
    for (const raft::LogWrite& write : log) {
      if (write.hard_state.has_value()) result.log.hard_state = *write.hard_state;
      for (const raft::Entry& entry : write.append) {
        result.log.entries.resize(entry.index.value() - 1 - result.log.compacted.index.value());
        result.log.entries.push_back(entry);
      }
      if (write.mark.has_value()) {
        const std::uint64_t gone = write.mark->index.value() - result.log.compacted.index.value();
        std::vector<raft::Entry>& entries = result.log.entries;
        const bool is_held = gone <= entries.size() && (gone == 0 || entries[gone - 1].term == write.mark->term);
        entries.erase(entries.begin(), is_held ? entries.begin() + static_cast<std::ptrdiff_t>(gone) : entries.end());
        result.log.compacted = *write.mark;
      }
    }
    return result;
  }

  using Rows = std::map<std::pair<Table, std::string>, std::string>;
  static Image image_of(const Rows& rows) {
    Image image;
    for (const auto& [key, value] : rows) REQUIRE(image.take(key.first, key.second, value).ok());
    REQUIRE(image.finish().ok());
    return image;
  }

  /// After every turn; off where the state is so large that looking at all of it each time takes minutes.
  bool checks_invariants = true;
  Config config;
  Instant now;
  Instant wake_at = now;
  const raft::Recovered begun;
  Replica replica;
  std::vector<raft::LogWrite> log;
  std::size_t written = 0;
  std::vector<raft::Envelope> sent;  ///< Since somebody took them.
  std::vector<Peer> peers;
  std::vector<Reply> replies;
  std::vector<Chunk> chunks;
  std::vector<StreamEnd> stream_ends;
  std::optional<Checkpoint> checkpoint;         ///< Under way.
  Rows rows;                                    ///< The engine's,
  Rows staged;                                  ///< and those of a snapshot beside them.
  std::deque<ImageStep> image_steps;            ///< Not done yet,
  std::size_t image_steps_allowed = 1'000'000;  ///< of which so many will be.
  int defragmentations = 0;                     ///< Wanted so far.
  std::uint64_t expected = 0;                   ///< Bytes of the message that received() is reading.
};

}  // namespace metastore::testing

#endif  // METASTORE_CORE_REPLICA_DRIVER_TEST_H_

// The one table of limits (design, law 9): each has a unit and a reason; `metastore --help-limits` prints it. Values
// are data, so that the simulator draws tiny ones per seed.
#ifndef METASTORE_CORE_BASE_LIMITS_H_
#define METASTORE_CORE_BASE_LIMITS_H_

#include <cstdint>

namespace metastore {

/// name, default, unit, reason.
#define METASTORE_LIMITS(X)                                                                                           \
  X(request_bytes_max, 1'572'864, "bytes", "a log entry; etcd's --max-request-bytes")                                 \
  X(receive_slack_bytes, 524'288, "bytes", "a received gRPC message may exceed request_bytes_max by this, as etcd's") \
  X(txn_ops_max, 128, "operations", "work of one apply; etcd's --max-txn-ops")                                        \
  X(unapplied_entries_max, 5'000, "entries", "committed but not applied; past it: too many requests, as etcd")        \
  X(proposals_pending_max, 20'000, "requests", "proposals waiting for commit; past it: too many requests")            \
  X(reads_pending_max, 20'000, "requests", "linearizable reads waiting; past it: too many requests")                  \
  X(txn_keys_at_once, 1'000, "keys", "that one transaction looks at; those that look at more take turns")             \
  X(large_txn_rest_ns, 1'400, "nanoseconds", "behind each, for each of its keys, while others propose")               \
  X(large_txns_pending_max, 64, "transactions", "waiting for their turns; past it: too many requests")                \
  X(apply_bytes_a_step, 1'048'576, "bytes", "entries applied in one step, so that a step stays near 1 ms")            \
  X(compact_records_a_step, 2'000, "records", "physical compaction in one step, so that a step stays near 1 ms")      \
  X(hash_bytes_a_step, 1'048'576, "bytes", "HashKV in one step, so that a step stays near 1 ms; 256 for a key")       \
  X(hashes_told, 10, "hashes", "kept though their revision was compacted since; as many as etcd's")                   \
  X(log_entries_kept, 5'000, "entries", "applied entries kept in memory for slow followers")                          \
  X(state_hash_entries, 1'000, "entries", "between two comparisons of the members' states, 0: never")                 \
  X(mark_entries, 10'000, "entries", "between marks that let old segments go; etcd's --snapshot-count")               \
  X(checkpoint_bytes, 1'048'576, "bytes", "changes that are checkpointed before the interval is over")                \
  X(checkpoint_waiting_bytes_max, 268'435'456, "bytes", "behind a checkpoint under way; past it: too many requests")  \
  X(log_bytes_max, 67'108'864, "bytes", "applied entries kept in memory for slow followers")                          \
  X(log_held_bytes_max, 268'435'456, "bytes", "the same while a peer takes a snapshot, lest it need another")         \
  X(snapshot_part_bytes, 131'072, "bytes", "rows in one message of a snapshot, unless one row alone is larger")       \
  X(snapshot_window_bytes, 1'048'576, "bytes", "of a snapshot, sent to a peer and not yet durable there")             \
  X(snapshot_bytes_a_step, 262'144, "bytes", "of snapshots, read or taken in one step, so that it stays near 1 ms")   \
  X(snapshot_keys_a_step, 5'000, "keys", "looked at for snapshots in one step, so that it stays near 1 ms")           \
  X(snapshot_silence_ms, 10'000, "milliseconds", "without a word from a peer that takes a snapshot: given up")        \
  X(snapshot_hold_ms, 600'000, "milliseconds", "a compaction waits for snapshots that read behind it")                \
  X(snapshot_held_bytes_max, 268'435'456, "bytes", "that a compaction gave up and snapshots read; past it: given up") \
  X(retention_look_ms, 300'000, "milliseconds", "between compactions that keep a number of revisions; as etcd")       \
  X(promotion_lag_entries_max, 1'000, "entries", "that a learner lacks when it is promoted")                          \
  X(peer_settled_ms, 5'000, "milliseconds", "connected for so long it counts for changes of members; as etcd")        \
  X(append_message_bytes_max, 1'048'576, "bytes", "entries in one message to a peer, unless one alone is larger")     \
  X(append_window_bytes_max, 8'388'608, "bytes", "entries sent to one peer ahead of its acknowledgement")             \
  X(raft_messages_held_max, 4'096, "messages", "waiting for this member's own disk; past it they are lost")           \
  X(wal_segment_bytes, 67'108'864, "bytes", "one WAL file; cut at a record boundary")                                 \
  X(wal_files_kept, 5, "files", "WAL segments that stay though a checkpoint holds them, 0: all; etcd's --max-wals")   \
  X(wal_batch_bytes_max, 8'388'608, "bytes", "log writes joined into one fdatasync")                                  \
  X(engine_file_bytes_max, 68'719'476'736, "bytes", "the engine's file; past it the member stops and says so")        \
  X(connection_send_bytes_max, 1'048'576, "bytes", "waiting to be sent on one connection before reading pauses")      \
  X(connection_write_bytes, 262'144, "bytes", "one write to a connection, before which what came meanwhile may go")   \
  X(turn_write_bytes, 4'194'304, "bytes", "writes of one turn of the loop, but for connections with little to send")  \
  X(turn_requests, 64, "requests", "taken from one connection in one turn of the loop; the rest waits for the next")  \
  X(turn_read_bytes, 65'536, "bytes", "looked at in one turn of the loop, of connections that say much at once")      \
  X(light_read_bytes, 4'096, "bytes", "read at once: whoever says no more goes first while it is talking")            \
  X(others_read_bytes, 8'192, "bytes", "a millisecond, of all who say more meanwhile, or have not asked yet")         \
  X(connection_streams_max, 4'294'967'295, "streams", "HTTP/2 streams a connection; etcd's --max-concurrent-streams") \
  X(range_keys_a_step, 5'000, "keys", "looked at for lists in one step, so that a step stays near 1 ms")              \
  X(range_bytes_a_step, 1'048'576, "bytes", "of lists, and of other reads, answered in one step: it stays near 1 ms") \
  X(range_chunk_bytes, 131'072, "bytes", "sent at a time of a list that is too large for one step")                   \
  X(ranges_credit_bytes, 33'554'432, "bytes", "sent of all such lists and not yet taken; then each may less ahead")   \
  X(ranges_held_bytes, 67'108'864, "bytes", "requests and sorted keys of lists; past it: too many requests")          \
  X(reply_bytes_max, 2'147'483'647, "bytes", "one reply; gRPC clients take no more, etcd sends no more")              \
  X(compaction_wait_ms, 3'000, "ms", "a compaction waits for lists that read behind it")                              \
  X(stream_credit_bytes, 1'048'576, "bytes", "sent on one stream and not yet taken by the client's connection")       \
  X(header_bytes_max, 65'536, "bytes", "request headers of one stream or HTTP/1.1 request")                           \
  X(connection_reply_bytes_max, 16'777'216, "bytes", "replies held by a client's window; past it its calls wait")     \
  X(clients_bytes_max, 100'663'296, "bytes", "held for all clients; past it who holds most goes; 256 MiB in memory")  \
  X(client_deadline_ms, 60'000, "milliseconds",                                                                       \
    "a request begun and silent, or nothing taken of what is owed: closed")                                           \
  X(connection_frames_max, 1'000, "frames", "to a socket that takes none, before reading pauses")                     \
  X(stream_window_bytes, 1'048'576, "bytes", "HTTP/2 flow control: sent ahead on one stream")                         \
  X(connection_window_bytes, 4'194'304, "bytes", "HTTP/2 flow control: sent ahead on one connection")                 \
  X(resets_burst_max, 10'000, "resets", "streams a client resets at once; past it: GOAWAY")                           \
  X(resets_a_second, 1'000, "resets", "streams a client resets, sustained; past it: GOAWAY")                          \
  X(lease_expiries_a_step, 1'000, "leases", "revocations proposed in one step, so that a step stays near 1 ms")       \
  X(lease_checkpoint_ms, 300'000, "milliseconds",                                                                     \
    "between notes of what remains of a lease, 0: none, else 1 s at least")                                           \
  X(lease_checkpoints_a_step, 1'000, "leases", "noted in one step, so that a step stays near 1 ms; etcd's")           \
  X(watchers_bytes_max, 67'108'864, "bytes", "keys and places of all watchers; past it no more are made")             \
  X(watch_catch_up_records, 1'000, "records", "history read for lagging watchers in one step")                        \
  X(watch_response_bytes, 262'144, "bytes", "history read for lagging watchers in one step, but for whole revisions") \
  X(connections_max, 10'000, "connections", "client connections of one member")                                       \
  X(peer_frame_bytes_max, 8'388'608, "bytes", "one message to a peer; more where request_bytes_max asks for it")      \
  X(peer_receive_bytes_max, 50'331'648, "bytes", "of unfinished frames of all peers; past it: disconnected")          \
  X(peer_urgent_bytes_max, 4'194'304, "bytes", "small messages that wait for one peer; past it the newest are lost")  \
  X(peer_bulk_bytes_max, 16'777'216, "bytes", "large messages that wait for one peer; past it the newest are lost")   \
  X(peer_bulk_bytes, 65'536, "bytes", "larger messages go to a peer on a connection of their own")                    \
  X(peer_strangers_max, 32, "connections", "to the peer port that have not said who they are; past it: closed")       \
  X(peer_hello_ms, 2'000, "milliseconds", "for a peer to answer, or a stranger to say who it is; then: closed")       \
  X(peer_ping_ms, 500, "milliseconds", "between questions whether a peer is there")                                   \
  X(peer_silence_ms, 5'000, "milliseconds", "without a word from a peer; four times that on its bulk connection")     \
  X(peer_retry_min_ms, 20, "milliseconds", "before a peer is called again; doubled each time it fails")               \
  X(peer_retry_max_ms, 1'000, "milliseconds", "at most between two calls of a peer")                                  \
  X(connections_refused_max, 100, "connections", "past connections_max: told so before they are closed")

struct Limits {
#define METASTORE_LIMIT_FIELD(name, value, unit, reason) std::uint64_t name = value;
  METASTORE_LIMITS(METASTORE_LIMIT_FIELD)
#undef METASTORE_LIMIT_FIELD
  bool operator==(const Limits&) const = default;
};

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_LIMITS_H_

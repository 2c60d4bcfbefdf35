#include "sim/drawn_limits.h"

#include <string>

#include "core/base/prng.h"
#include "sim/draw_scaled.h"

namespace metastore::sim {
namespace {

enum class Where { whole_cluster, each_member };

/// What may be drawn for a limit. Where each member may have another, a start may change it.
struct DrawnLimit {
  std::string_view name;
  std::uint64_t Limits::* limit;
  std::uint64_t low;
  std::uint64_t high;
  Where where = Where::whole_cluster;
};

#define METASTORE_DRAWN(limit, ...) {#limit, &Limits::limit, __VA_ARGS__}
constexpr DrawnLimit drawn_limits[] = {
    METASTORE_DRAWN(txn_ops_max, 2, 128),
    METASTORE_DRAWN(unapplied_entries_max, 1, 5'000),
    METASTORE_DRAWN(proposals_pending_max, 1, 1'000),
    METASTORE_DRAWN(reads_pending_max, 1, 1'000),
    METASTORE_DRAWN(apply_bytes_a_step, 1, 100'000, Where::each_member),
    METASTORE_DRAWN(compact_records_a_step, 1, 1'000),
    METASTORE_DRAWN(log_entries_kept, 1, 5'000, Where::each_member),
    METASTORE_DRAWN(log_bytes_max, 1, 1'000'000, Where::each_member),
    METASTORE_DRAWN(wal_files_kept, 1, 5, Where::each_member),
    METASTORE_DRAWN(wal_segment_bytes, 4'096, 1'048'576, Where::each_member),
    METASTORE_DRAWN(wal_batch_bytes_max, 1, 100'000),
    METASTORE_DRAWN(connection_send_bytes_max, 1'024, 1'048'576),
    METASTORE_DRAWN(stream_credit_bytes, 1, 100'000),
    METASTORE_DRAWN(watch_catch_up_records, 1, 1'000),
    METASTORE_DRAWN(watch_response_bytes, 1, 100'000),
    METASTORE_DRAWN(mark_entries, 1, 1'000, Where::each_member),
    METASTORE_DRAWN(checkpoint_bytes, 1, 100'000, Where::each_member),
    METASTORE_DRAWN(checkpoint_waiting_bytes_max, 1, 1'000'000),
    METASTORE_DRAWN(range_keys_a_step, 1, 100),
    METASTORE_DRAWN(range_bytes_a_step, 1, 10'000),
    METASTORE_DRAWN(range_chunk_bytes, 1, 10'000),
    METASTORE_DRAWN(ranges_credit_bytes, 1, 100'000),
    METASTORE_DRAWN(compaction_wait_ms, 1, 3'000),
    METASTORE_DRAWN(retention_look_ms, 100, 300'000),
    METASTORE_DRAWN(state_hash_entries, 1, 1'000),
    METASTORE_DRAWN(lease_checkpoint_ms, 1, 16'000),
    METASTORE_DRAWN(lease_checkpoints_a_step, 1, 1'000),
    // A part goes there and back before the next one: a state in thousands of them takes longer than anybody waits.
    METASTORE_DRAWN(snapshot_part_bytes, 1'000, 100'000, Where::each_member),
    METASTORE_DRAWN(snapshot_window_bytes, 1, 100'000, Where::each_member),
    METASTORE_DRAWN(snapshot_bytes_a_step, 1'000, 100'000),
    METASTORE_DRAWN(snapshot_keys_a_step, 16, 1'000),
    METASTORE_DRAWN(snapshot_hold_ms, 1, 60'000),
    METASTORE_DRAWN(snapshot_held_bytes_max, 1, 1'000'000),
    METASTORE_DRAWN(append_message_bytes_max, 1, 100'000, Where::each_member),
    METASTORE_DRAWN(append_window_bytes_max, 1, 1'000'000, Where::each_member),
    METASTORE_DRAWN(peer_bulk_bytes, 1, 10'000),
    // What finds no room is sent again once a heartbeat: with room for one entry, a cluster adds them faster than that.
    METASTORE_DRAWN(peer_bulk_bytes_max, 16'384, 1'000'000),
    METASTORE_DRAWN(peer_urgent_bytes_max, 4'096, 1'000'000),
    METASTORE_DRAWN(peer_ping_ms, 100, 2'000),
    METASTORE_DRAWN(peer_silence_ms, 2'000, 20'000),
    METASTORE_DRAWN(peer_retry_max_ms, 20, 1'000),
    METASTORE_DRAWN(peer_settled_ms, 1, 5'000),
};
#undef METASTORE_DRAWN

/// A limit stays as it is in half of the seeds.
void draw_limit(std::uint64_t seed, std::string_view stream, const DrawnLimit& drawn, Limits& limits) {
  Prng prng(seed, std::string(stream) + " " + std::string(drawn.name));
  const std::uint64_t value = draw_scaled(prng, drawn.low, drawn.high);
  if (prng.chance(1, 2)) limits.*drawn.limit = value;
}

}  // namespace

Limits draw_limits(std::uint64_t seed) {
  Limits limits;
  // The default would make every member zero-fill 64 MB: a simulated disk holds less.
  limits.wal_segment_bytes = 262'144;
  for (const DrawnLimit& drawn : drawn_limits) draw_limit(seed, "plan limit", drawn, limits);
  return limits;
}

void redraw_limits(std::uint64_t seed, std::string_view stream, Limits& limits) {
  for (const DrawnLimit& drawn : drawn_limits) {
    if (drawn.where == Where::each_member) draw_limit(seed, stream, drawn, limits);
  }
}

}  // namespace metastore::sim

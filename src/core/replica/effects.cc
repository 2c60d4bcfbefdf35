#include "core/replica/effects.h"

namespace metastore {
namespace {

void encode(Encoder& out, const Reply& reply) {
  out.tagged(reply.id);
  out.u64(reply.result.index());
  if (const Bytes* message = std::get_if<Bytes>(&reply.result)) {
    out.bytes(*message);
  } else {
    out.u64(static_cast<std::uint64_t>(std::get<ErrorCode>(reply.result)));
  }
}

std::string describe(const Reply& reply) {
  std::string line = "reply #" + std::to_string(reply.id.value()) + ": ";
  if (const Bytes* message = std::get_if<Bytes>(&reply.result))
    return line + std::to_string(message->size()) + " bytes";
  return line + std::string(name(std::get<ErrorCode>(reply.result)));
}

void encode(Encoder& out, const Chunk& chunk) {
  out.tagged(chunk.id);
  out.u64(chunk.message_bytes);
  out.u64(chunk.parts.size());
  for (const Bytes& part : chunk.parts) out.bytes(part);
}

void encode(Encoder& out, const StreamEnd& end) {
  out.tagged(end.id);
  out.boolean(end.error.has_value());
  if (end.error.has_value()) out.u64(static_cast<std::uint64_t>(*end.error));
}

std::string describe(const Chunk& chunk) {
  std::size_t bytes = 0;
  for (const Bytes& part : chunk.parts) bytes += part.size();
  const std::string place =
      chunk.message_bytes > 0 ? "message of " + std::to_string(chunk.message_bytes) + " bytes: " : "more: ";
  return "stream #" + std::to_string(chunk.id.value()) + ": " + place + std::to_string(bytes) + " bytes";
}

void encode(Encoder& out, const ImageStep& step) {
  out.u64(static_cast<std::uint64_t>(step.kind));
  out.u64(step.image);
  out.u64(step.parts);
  out.bytes(step.rows);
}

std::string describe(const ImageStep& step) {
  const std::string image = "image " + std::to_string(step.image);
  if (step.kind == ImageStep::Kind::install) return image + ": install";
  if (step.kind == ImageStep::Kind::drop) return image + ": drop";
  return image + ": part " + std::to_string(step.parts) + ", " + std::to_string(step.rows.size()) + " bytes" +
         (step.kind == ImageStep::Kind::last_rows ? ", the last" : "");
}

void encode(Encoder& out, const Peer& peer) {
  out.tagged(peer.id);
  out.u64(peer.urls.size());
  for (const std::string& url : peer.urls) out.bytes(url);
  out.u64(peer.data_id);
  out.boolean(peer.is_removed);
}

std::string describe(const Peer& peer) {
  std::string line = "peer " + raft::describe(peer.id);
  for (const std::string& url : peer.urls) line += " " + url;
  return line + (peer.is_removed ? " removed" : "");
}

std::string describe(const StreamEnd& end) {
  const std::string how = end.error.has_value() ? std::string(name(*end.error)) : "ok";
  return "stream #" + std::to_string(end.id.value()) + " ends: " + how;
}

}  // namespace

void encode(Encoder& out, const Effects& effects) {
  out.u64(effects.log_writes.size());
  for (const raft::LogWrite& write : effects.log_writes) raft::encode(out, write);
  out.u64(effects.messages.size());
  for (const raft::Envelope& message : effects.messages) raft::encode(out, message);
  out.u64(effects.replies.size());
  for (const Reply& reply : effects.replies) encode(out, reply);
  out.u64(effects.chunks.size());
  for (const Chunk& chunk : effects.chunks) encode(out, chunk);
  out.u64(effects.stream_ends.size());
  for (const StreamEnd& end : effects.stream_ends) encode(out, end);
  out.boolean(effects.checkpoint.has_value());
  if (effects.checkpoint.has_value()) {
    out.tagged(effects.checkpoint->applied_index);
    out.bytes(effects.checkpoint->rows);
  }
  out.u64(effects.image_steps.size());
  for (const ImageStep& step : effects.image_steps) encode(out, step);
  out.boolean(effects.defragment);
  out.boolean(effects.peers.has_value());
  if (effects.peers.has_value()) {
    out.u64(effects.peers->size());
    for (const Peer& peer : *effects.peers) encode(out, peer);
  }
  out.boolean(effects.serve);
  out.boolean(effects.leave);
  out.instant(effects.wake_at);
}

std::string describe(const Effects& effects) {
  std::string lines;
  for (const raft::LogWrite& write : effects.log_writes) lines += "log write " + raft::describe(write) + "\n";
  for (const raft::Envelope& message : effects.messages) lines += "send " + raft::describe(message) + "\n";
  for (const Reply& reply : effects.replies) lines += describe(reply) + "\n";
  for (const Chunk& chunk : effects.chunks) lines += describe(chunk) + "\n";
  for (const StreamEnd& end : effects.stream_ends) lines += describe(end) + "\n";
  if (effects.checkpoint.has_value()) {
    lines += "checkpoint up to entry " + std::to_string(effects.checkpoint->applied_index.value()) + ", " +
             std::to_string(effects.checkpoint->rows.size()) + " bytes\n";
  }
  for (const ImageStep& step : effects.image_steps) lines += describe(step) + "\n";
  if (effects.defragment) lines += "defragment\n";
  if (effects.peers.has_value()) {
    lines += "peers: " + std::to_string(effects.peers->size()) + "\n";
    for (const Peer& peer : *effects.peers) lines += describe(peer) + "\n";
  }
  if (effects.serve) lines += "serve\n";
  if (effects.leave) lines += "leave\n";
  if (effects.wake_at != Instant::never()) {
    lines += "wake at " + std::to_string(effects.wake_at.nanoseconds() / 1'000) + " us\n";
  }
  return lines;
}

}  // namespace metastore

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

}  // namespace

void encode(Encoder& out, const Effects& effects) {
  out.u64(effects.log_writes.size());
  for (const raft::LogWrite& write : effects.log_writes) raft::encode(out, write);
  out.u64(effects.messages.size());
  for (const raft::Envelope& message : effects.messages) raft::encode(out, message);
  out.u64(effects.replies.size());
  for (const Reply& reply : effects.replies) encode(out, reply);
  out.instant(effects.wake_at);
}

std::string describe(const Effects& effects) {
  std::string lines;
  for (const raft::LogWrite& write : effects.log_writes) lines += "log write " + raft::describe(write) + "\n";
  for (const raft::Envelope& message : effects.messages) lines += "send " + raft::describe(message) + "\n";
  for (const Reply& reply : effects.replies) lines += describe(reply) + "\n";
  if (effects.wake_at != Instant::never()) {
    lines += "wake at " + std::to_string(effects.wake_at.nanoseconds() / 1'000) + " us\n";
  }
  return lines;
}

}  // namespace metastore

#include "core/replica/input.h"

namespace metastore {
namespace {

struct EventEncoder {
  Encoder& out;

  void operator()(const Woken&) {}
  void operator()(const Stopping&) {}
  void operator()(const PeerMessage& event) { raft::encode(out, event.envelope); }
  void operator()(const LogWritten& event) { out.tagged(event.id); }
  void operator()(const ClientRequest& event) {
    out.tagged(event.id);
    out.u64(static_cast<std::uint64_t>(event.method));
    out.bytes(event.message);
    out.instant(event.deadline);
    out.i64(event.asked_at.unix_nanoseconds);
  }
  void operator()(const BatchEnded&) {}
  void operator()(const StreamOpened& event) {
    out.tagged(event.id);
    out.u64(static_cast<std::uint64_t>(event.method));
    out.instant(event.deadline);
    out.boolean(event.require_leader);
  }
  void operator()(const StreamRequest& event) {
    out.tagged(event.id);
    out.bytes(event.message);
  }
  void operator()(const StreamRequestsEnded& event) { out.tagged(event.id); }
  void operator()(const StreamDrained& event) {
    out.tagged(event.id);
    out.u64(event.bytes);
  }
  void operator()(const StreamClosed& event) { out.tagged(event.id); }
  void operator()(const CheckpointWritten& event) { out.tagged(event.applied_index); }
  void operator()(const Defragmented& event) { out.bytes(event.failure); }
  void operator()(const PeerConnected& event) { out.tagged(event.peer); }
  void operator()(const PeerUnreachable& event) { out.tagged(event.peer); }
  void operator()(const PeerLost& event) { out.tagged(event.peer); }
  void operator()(const Expelled& event) { out.tagged(event.by); }
  void operator()(const ImageStaged& event) {
    out.u64(event.image);
    out.u64(event.parts);
  }
  void operator()(const ImageInstalled& event) { out.u64(event.image); }
};

struct EventDescriber {
  std::string operator()(const Woken&) { return "woken"; }
  std::string operator()(const Stopping&) { return "stopping"; }
  std::string operator()(const PeerMessage& event) { return "peer message: " + raft::describe(event.envelope); }
  std::string operator()(const LogWritten& event) { return "log written up to #" + std::to_string(event.id.value()); }
  std::string operator()(const ClientRequest& event) {
    return "request #" + std::to_string(event.id.value()) + ": " + std::string(kv::name(event.method)) + ", " +
           std::to_string(event.message.size()) + " bytes";
  }
  std::string operator()(const BatchEnded&) { return "batch ended"; }
  std::string operator()(const StreamOpened& event) {
    return stream(event.id) + " opened: " + std::string(kv::name(event.method));
  }
  std::string operator()(const StreamRequest& event) {
    return stream(event.id) + ": request of " + std::to_string(event.message.size()) + " bytes";
  }
  std::string operator()(const StreamRequestsEnded& event) { return stream(event.id) + ": requests ended"; }
  std::string operator()(const StreamDrained& event) {
    return stream(event.id) + ": " + std::to_string(event.bytes) + " bytes drained";
  }
  std::string operator()(const StreamClosed& event) { return stream(event.id) + " closed"; }
  std::string operator()(const CheckpointWritten& event) {
    return "checkpoint written up to entry " + std::to_string(event.applied_index.value());
  }
  std::string operator()(const Defragmented& event) { return "defragmented " + event.failure; }
  std::string operator()(const PeerConnected& event) { return "peer " + raft::describe(event.peer) + " connected"; }
  std::string operator()(const PeerUnreachable& event) { return "peer " + raft::describe(event.peer) + " unreachable"; }

  std::string operator()(const PeerLost& event) { return "peer " + raft::describe(event.peer) + " lost"; }
  std::string operator()(const Expelled& event) { return "expelled, says " + raft::describe(event.by); }
  std::string operator()(const ImageStaged& event) {
    return "image " + std::to_string(event.image) + ": " + std::to_string(event.parts) + " parts staged";
  }
  std::string operator()(const ImageInstalled& event) { return "image " + std::to_string(event.image) + " installed"; }

  static std::string stream(RequestId id) { return "stream #" + std::to_string(id.value()); }
};

}  // namespace

void encode(Encoder& out, const Input& input) {
  out.instant(input.now);
  out.u64(input.event.index());
  std::visit(EventEncoder{out}, input.event);
}

std::string describe(const Input& input) {
  return "[" + std::to_string(input.now.nanoseconds() / 1'000) + " us] " + std::visit(EventDescriber{}, input.event);
}

}  // namespace metastore

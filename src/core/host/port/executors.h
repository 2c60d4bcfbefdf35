// Who carries out effects: the log store, the gateway, the peer link, the trace's sink. The host hands each its share
// once a turn; their answers come back as events through the Inbox.
#ifndef METASTORE_CORE_HOST_PORT_EXECUTORS_H_
#define METASTORE_CORE_HOST_PORT_EXECUTORS_H_

#include <vector>

#include "core/base/trace.h"
#include "core/host/port/files.h"
#include "core/replica/effects.h"
#include "core/replica/input.h"

namespace metastore::port {

/// Where events for the replica go. They are stepped in order, in a later turn of the loop.
class Inbox {
 public:
  virtual ~Inbox() = default;
  virtual void post(Event event) = 0;
  /// Storage cannot be trusted any more: the member stops now, and nothing further is stepped (design, law 4).
  virtual void storage_failed(const StorageError& error) = 0;
};

class LogExecutor {
 public:
  virtual ~LogExecutor() = default;
  virtual void write(std::vector<raft::LogWrite> writes) = 0;
};

class ClientExecutor {
 public:
  virtual ~ClientExecutor() = default;
  /// Clients may come in.
  virtual void serve() = 0;
  virtual void reply(std::vector<Reply> replies) = 0;
  /// `chunks` in their order, then `ends`.
  virtual void stream(std::vector<Chunk> chunks, std::vector<StreamEnd> ends) = 0;
};

class CheckpointExecutor {
 public:
  virtual ~CheckpointExecutor() = default;
  /// Requires: the last one was answered by CheckpointWritten.
  virtual void write(Checkpoint checkpoint) = 0;
  /// Requires: the last one was answered by Defragmented.
  virtual void defragment() = 0;
  virtual void stage(std::vector<ImageStep> steps) = 0;
};

/// Talks to the other members. What it hears comes as PeerMessage, PeerConnected and PeerUnreachable.
class PeerExecutor {
 public:
  virtual ~PeerExecutor() = default;
  /// Each may be lost, and is once too much waits for its member.
  virtual void send(std::vector<raft::Envelope> messages) = 0;
  /// From now on exactly these; what waits for another is dropped.
  virtual void set_peers(std::vector<Peer> peers) = 0;
};

/// Sees the boundary: every input before it is stepped, and what each turn wants done before it is executed.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_input(const Input& input) = 0;
  virtual void on_effects(const Effects& effects) = 0;
};

/// Told once that the member cannot go on. Production exits; the simulator crashes the member.
class Supervisor {
 public:
  virtual ~Supervisor() = default;
  virtual void member_failed(const StorageError& error) = 0;
  /// It was removed from its cluster: it may finish what it owes, and is not started again.
  virtual void member_removed() = 0;
};

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void trace(const std::vector<TraceLine>& lines) = 0;
};

}  // namespace metastore::port

#endif  // METASTORE_CORE_HOST_PORT_EXECUTORS_H_

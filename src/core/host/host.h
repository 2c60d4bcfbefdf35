// The shell around a replica: inbox -> step all -> execute the effects once. The same in production and in the
// simulator. It has no thread, no policy and no state of its own but the inbox; it never looks inside an event.
#ifndef METASTORE_CORE_HOST_HOST_H_
#define METASTORE_CORE_HOST_HOST_H_

#include <memory>
#include <vector>

#include "core/host/port/executors.h"
#include "core/host/port/loop.h"
#include "core/replica/replica.h"

namespace metastore {

/// Who carries out the effects. All outlive the host; `observer` may be null.
struct Executors {
  port::LogExecutor& log;
  port::CheckpointExecutor& checkpoints;
  port::ClientExecutor& clients;
  port::PeerExecutor& peers;
  port::TraceSink& trace;
  port::Supervisor& supervisor;
  port::Observer* observer = nullptr;
};

class Host final : public port::Inbox, private port::Task {
 public:
  explicit Host(port::Loop& loop) : loop_(loop) {}
  ~Host() override { loop_.cancel(*this); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  /// From here on events are stepped. Executors often need the inbox first, hence not in the constructor.
  void start(const Executors& executors, std::unique_ptr<Replica> replica);

  void post(Event event) override;
  void storage_failed(const port::StorageError& error) override;

  /// Requires: started.
  const Replica& replica() const { return *replica_; }

 private:
  void run() override;
  void step(Instant now, Event event, Effects& effects);
  void execute(Effects effects);

  port::Loop& loop_;
  std::unique_ptr<Executors> executors_;
  std::unique_ptr<Replica> replica_;
  std::vector<Event> inbox_;
  Instant wake_at_ = Instant::never();
  bool failed_ = false;
};

}  // namespace metastore

#endif  // METASTORE_CORE_HOST_HOST_H_

// One streaming call of a simulated client: whole messages out and in, decoded or as HTTP/2 bytes, as the door does for
// unary calls. It keeps the account of what it was sent and has not taken, which the member must keep within bounds.
#ifndef METASTORE_SIM_STREAM_CALL_H_
#define METASTORE_SIM_STREAM_CALL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/tagged.h"
#include "core/host/port/loop.h"
#include "core/kv/method.h"
#include "core/replica/effects.h"
#include "sim/calling.h"
#include "sim/http2_line.h"

namespace metastore::sim {

class Door;

inline constexpr std::uint64_t watches_a_stream_max = 4;

class StreamCall {
 public:
  /// With `requires_leader` the member shall end it when it knows of none. `news` is run when a message has come or the
  /// call has ended; it must not destroy the call. Requires: the door is open.
  StreamCall(Door& door, kv::Method method, bool requires_leader, port::Task& news);
  /// Ends it without a word, as a process does that dies.
  ~StreamCall();
  StreamCall(const StreamCall&) = delete;
  StreamCall& operator=(const StreamCall&) = delete;

  /// Requires: !is_over().
  void send(std::string message);
  /// Takes what has come, and more; or leaves it lying.
  void read_on(bool wants_more);
  bool is_over() const { return is_over_; }
  std::vector<std::string> take_messages() { return std::exchange(messages_, {}); }
  /// What the member did on it that it must not do; "" if nothing.
  const std::string& fault() const { return fault_; }

  /// Told by the door.
  void on_chunk(const Chunk& chunk);
  void on_end();

 private:
  void on_bytes();

  Door& door_;
  const kv::Method method_;
  port::Task& news_;
  bool is_over_ = false;
  std::vector<std::string> messages_;
  std::string fault_;

  // Decoded.
  std::optional<RequestId> id_;
  std::string bytes_;  ///< Of the message that is coming in.
  std::uint64_t message_bytes_ = 0;
  std::uint64_t message_bytes_max_ = 0;  ///< Of one message, or of one that came in fragments.
  std::uint64_t fragments_bytes_ = 0;    ///< Of the fragments that the message goes on with.
  std::uint64_t undrained_bytes_ = 0;
  std::uint64_t words_ = 0;           ///< Said, and not answered before something was taken.
  std::uint64_t words_answered_ = 0;  ///< By messages that came since.

  // As bytes.
  Calling<&StreamCall::on_bytes> arrival_{*this};
  std::optional<Http2Line> line_;
  api::StreamId stream_;
};

}  // namespace metastore::sim

#endif  // METASTORE_SIM_STREAM_CALL_H_

// The replica's side of streaming RPCs: who serves which, and how they end. Beside replica.cc, since it is one subject.
#include <algorithm>
#include <utility>

#include "core/base/assert.h"
#include "core/replica/replica.h"

namespace metastore {

void Replica::open_stream(const StreamOpened& stream, Effects& effects) {
  if (stopping_) return effects.stream_ends.push_back({stream.id, ErrorCode::stopped});
  if (is_learner()) return effects.stream_ends.push_back({stream.id, ErrorCode::learner});
  if (stream.require_leader && raft_.leader() == MemberId()) {
    return effects.stream_ends.push_back({stream.id, ErrorCode::no_leader});
  }
  switch (stream.method) {
    case kv::Method::watch:
      watches_.open(stream.id);
      break;
    case kv::Method::lease_keep_alive:
      keep_alives_.open(stream.id);
      break;
    default:
      UNREACHABLE();
  }
  streams_.open(stream);
}

void Replica::on_stream_request(Instant now, const StreamRequest& message, Effects& effects) {
  const std::optional<kv::Method> method = streams_.find(message.id);
  if (!method.has_value()) return;  // It has ended, which its client does not know yet.
  switch (*method) {
    case kv::Method::watch: {
      const auto request = watch::decode(message.message.view());
      if (!request.has_value()) return end_stream(message.id, ErrorCode::undecodable, effects);
      std::vector<watch::Response> responses;
      watches_.request(message.id, *request, applier_->store(), header(), now, responses);
      return send(std::move(responses), effects);
    }
    case kv::Method::lease_keep_alive:
      return keep_alive(now, message, effects);
    default:
      UNREACHABLE();
  }
}

void Replica::on_stream_requests_ended(RequestId id, Effects& effects) {
  // A watch goes on: its client listens (contract 1.6).
  if (streams_.find(id) != kv::Method::lease_keep_alive) return;
  keep_alives_.end_requests(id);
  if (keep_alives_.is_finished(id)) end_stream(id, std::nullopt, effects);
}

void Replica::on_stream_drained(const StreamDrained& event) {
  if (streams_.find(event.id) == kv::Method::watch) return watches_.drained(event.id, event.bytes);
  ranges_.drained(event.id, event.bytes);
}

void Replica::close_stream(RequestId id) {
  watches_.close(id);
  ranges_.close(id);
  for (const Waiting::Key key : keep_alives_.close(id)) waiting_.take(key);
  streams_.close(id);
}

void Replica::end_stream(RequestId id, std::optional<ErrorCode> error, Effects& effects) {
  close_stream(id);
  effects.stream_ends.push_back({id, error});
}

void Replica::send(std::vector<watch::Response> responses, Effects& effects) {
  for (watch::Response& response : responses) {
    std::uint64_t bytes = 0;
    for (const Bytes& part : response.parts) bytes += part.size();
    effects.chunks.push_back({response.stream, bytes, std::move(response.parts)});
  }
}

Instant Replica::no_leader_at() const {
  if (!leaderless_since_.has_value() || streams_.requiring_leader().empty()) return Instant::never();
  return *leaderless_since_ + config_.election_timeout * 3;
}

void Replica::serve_streams(Instant now, Effects& effects) {
  for (const RequestId id : streams_.expired(now)) end_stream(id, ErrorCode::deadline_exceeded, effects);
  if (raft_.leader() != MemberId()) leaderless_since_.reset();
  if (raft_.leader() == MemberId() && !leaderless_since_.has_value()) leaderless_since_ = now;
  if (now >= no_leader_at()) {
    while (!streams_.requiring_leader().empty()) {
      end_stream(*streams_.requiring_leader().begin(), ErrorCode::no_leader, effects);
    }
  }
  std::vector<watch::Response> responses;
  watches_have_more_ = watches_.flush(applier_->store(), header(), now, responses);
  send(std::move(responses), effects);
}

}  // namespace metastore

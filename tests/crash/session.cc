#include "tests/crash/session.h"

#include <chrono>
#include <utility>

namespace metastore::crash {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t patience_microseconds = 30'000'000;
constexpr std::uint64_t keys = 12;
constexpr std::uint64_t leases_max = 6;
/// A few are longer than one row of the engine, or than what is zeroed ahead in the log.
constexpr std::size_t value_sizes[] = {10, 100, 1'000, 6'000, 20'000};
constexpr std::uint32_t size_weights[] = {40, 40, 15, 4, 1};

Clock::time_point after(std::int64_t microseconds) { return Clock::now() + std::chrono::microseconds(microseconds); }

std::int64_t until(Clock::time_point end) {
  return std::chrono::duration_cast<std::chrono::microseconds>(end - Clock::now()).count();
}

etcdserverpb::RangeRequest all_keys(std::int64_t revision) {
  etcdserverpb::RangeRequest range;
  range.set_key(std::string(1, '\0'));
  range.set_range_end(std::string(1, '\0'));
  range.set_revision(revision);
  return range;
}

void compare(const etcdserverpb::RangeResponse& found, const Model::State& expected, std::int64_t revision) {
  const std::string at = " at revision " + std::to_string(revision);
  if (found.kvs_size() != static_cast<int>(expected.size())) {
    throw Broken("there are " + std::to_string(found.kvs_size()) + " keys instead of " +
                 std::to_string(expected.size()) + at);
  }
  auto next = expected.begin();
  for (const mvccpb::KeyValue& kv : found.kvs()) {
    if (kv.SerializeAsString() != next->second.SerializeAsString()) {
      throw Broken("instead of {" + next->second.ShortDebugString() + "} there is {" + kv.ShortDebugString() + "}" +
                   at);
    }
    ++next;
  }
}

}  // namespace

std::string Load::key() { return "key" + std::to_string(prng_.below(keys)); }

Operation Load::next(const Model& model) {
  constexpr std::uint32_t weights[] = {60, 8, 20, 5, 3, 4};
  Operation operation{.kind = static_cast<Kind>(prng_.weighted(weights, std::size(weights))), .number = ++number_};
  const std::vector<std::int64_t> leases = model.usable_leases();
  const std::int64_t compactable = model.watched() - model.compacted_at_most();
  const bool is_unmarked = operation.kind == Kind::erase || operation.kind == Kind::revoke;
  if ((is_unmarked && model.has_unmarked()) || (operation.kind == Kind::revoke && leases.empty()) ||
      (operation.kind == Kind::grant && leases.size() >= leases_max) ||
      (operation.kind == Kind::compact && compactable < 2)) {
    operation.kind = Kind::put;
  }
  operation.key = key();
  switch (operation.kind) {
    case Kind::txn:
      // No transaction may change a key twice.
      operation.other = operation.key + "x";
      [[fallthrough]];
    case Kind::put:
      operation.value = value_of(number_, value_sizes[prng_.weighted(size_weights, std::size(size_weights))]);
      if (!leases.empty() && prng_.chance(1, 4)) operation.lease = leases[prng_.below(leases.size())];
      break;
    case Kind::erase:
      operation.other = operation.key + (prng_.chance(1, 2) ? "\1" : "z");
      break;
    case Kind::grant:
      operation.lease = static_cast<std::int64_t>(number_);
      break;
    case Kind::revoke:
      operation.lease = leases[prng_.below(leases.size())];
      break;
    case Kind::compact:
      // Mostly far behind, now and then up to the present.
      operation.revision =
          model.compacted_at_most() + prng_.between(1, prng_.chance(1, 4) ? compactable : compactable / 2);
      break;
  }
  return operation;
}

Session::Session(const std::string& endpoint, Model& model)
    : model_(model), link_(endpoint), watch_(watch(model.watched() + 1)) {}

api::StreamId Session::watch(std::int64_t revision) {
  etcdserverpb::WatchRequest request;
  request.mutable_create_request()->set_key(std::string(1, '\0'));
  request.mutable_create_request()->set_range_end(std::string(1, '\0'));
  request.mutable_create_request()->set_start_revision(revision);
  const api::StreamId stream = link_.client.open("/etcdserverpb.Watch/Watch", std::nullopt);
  link_.client.send(stream, Bytes::copy_of(request.SerializeAsString()));
  return stream;
}

void Session::turn(std::int64_t microseconds) {
  link_.send();
  pollfd wanted = link_.wanted();
  const timespec wait{microseconds / 1'000'000, microseconds % 1'000'000 * 1'000};
  if (ppoll(&wanted, 1, &wait, nullptr) > 0) link_.receive();
  take_answers();
}

void Session::take_answers() {
  for (api::CallResult& result : std::exchange(link_.results, {})) {
    if (asked_ == result.stream) {
      answer_ = std::move(result);
      continue;
    }
    const auto operation = operations_.extract(result.stream.value());
    if (operation.empty()) throw Broken("a watch ended: " + result.text);
    if (result.code == StatusCode::ok) {
      model_.answered(operation.mapped(), std::string(result.message.view()));
    } else {
      model_.refused(operation.mapped(), result.text);
    }
  }
  for (const api::StreamMessage& message : link_.client.take_received()) {
    etcdserverpb::WatchResponse response;
    if (!response.ParseFromString(std::string(message.message.view()))) throw Broken("no WatchResponse");
    if (response.canceled()) throw Broken("a watch was canceled: " + response.cancel_reason());
    for (const mvccpb::Event& event : response.events()) {
      if (message.stream == watch_) {
        model_.event(event);
      } else {
        second_events_.push_back(event);
      }
    }
  }
}

api::CallResult Session::ask_raw(const char* path, const std::string& bytes) {
  asked_ = link_.client.call(path, Bytes::copy_of(bytes), std::nullopt);
  answer_.reset();
  const Clock::time_point end = after(patience_microseconds);
  while (!answer_) {
    if (link_.hung_up || until(end) <= 0) throw Broken(std::string("no answer to ") + path);
    turn(patience_microseconds);
  }
  return *std::exchange(answer_, std::nullopt);
}

template <typename Response, typename Query>
Response Session::ask(const char* path, const Query& query) {
  const api::CallResult result = ask_raw(path, query.SerializeAsString());
  if (result.code != StatusCode::ok) throw Broken(std::string(path) + " answers: " + result.text);
  Response response;
  if (!response.ParseFromString(std::string(result.message.view()))) throw Broken("an answer is no message");
  return response;
}

void Session::check(Prng& prng) {
  const auto present = ask<etcdserverpb::RangeResponse>("/etcdserverpb.KV/Range", all_keys(0));
  const std::int64_t revision = present.header().revision();
  if (revision < model_.watched()) {
    throw Broken("the revision went back from " + std::to_string(model_.watched()) + " to " + std::to_string(revision));
  }
  const Clock::time_point end = after(patience_microseconds);
  while (model_.watched() < revision) {
    if (link_.hung_up || until(end) <= 0) throw Broken("a watch does not go on from a remembered revision");
    turn(patience_microseconds);
  }
  const auto granted =
      ask<etcdserverpb::LeaseLeasesResponse>("/etcdserverpb.Lease/LeaseLeases", etcdserverpb::LeaseLeasesRequest());
  std::set<std::int64_t> leases;
  for (const etcdserverpb::LeaseStatus& lease : granted.leases()) leases.insert(lease.id());
  model_.settle(revision, leases);
  compare(present, model_.state(), revision);

  const std::int64_t oldest = model_.compacted_at_most();
  if (oldest > 0) {
    const std::int64_t drawn = prng.between(oldest, revision);
    compare(ask<etcdserverpb::RangeResponse>("/etcdserverpb.KV/Range", all_keys(drawn)), model_.state_at(drawn), drawn);
  }
  if (oldest < revision) check_history(prng.between(oldest + 1, revision));
  if (!leases.empty()) check_lease(*std::next(leases.begin(), static_cast<std::ptrdiff_t>(prng.below(leases.size()))));
  if (model_.compacted_at_least() > 1) {
    const api::CallResult result =
        ask_raw("/etcdserverpb.KV/Range", all_keys(model_.compacted_at_least() - 1).SerializeAsString());
    if (result.code != StatusCode::out_of_range) throw Broken("a compacted revision can be read");
  }
}

/// A watch from far back shows what the first one showed.
void Session::check_history(std::int64_t revision) {
  const Model::Events expected = model_.events_from(revision);
  second_watch_ = watch(revision);
  second_events_.clear();
  const Clock::time_point end = after(patience_microseconds);
  while (second_events_.size() < expected.size()) {
    if (link_.hung_up || until(end) <= 0) throw Broken("a watch from a former revision does not show all");
    turn(patience_microseconds);
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (second_events_[i].SerializeAsString() == expected[i].SerializeAsString()) continue;
    throw Broken("instead of the event {" + expected[i].ShortDebugString() +
                 "} a watch from a former revision shows {" + second_events_[i].ShortDebugString() + "}");
  }
  link_.client.cancel(*second_watch_, link_.results);
  link_.results.clear();
}

void Session::check_lease(std::int64_t lease) {
  etcdserverpb::LeaseTimeToLiveRequest request;
  request.set_id(lease);
  request.set_keys(true);
  const auto response = ask<etcdserverpb::LeaseTimeToLiveResponse>("/etcdserverpb.Lease/LeaseTimeToLive", request);
  const std::set<std::string> found(response.keys().begin(), response.keys().end());
  std::set<std::string> expected;
  for (const auto& [key, kv] : model_.state()) {
    if (kv.lease() == lease) expected.insert(key);
  }
  if (found != expected) throw Broken("other keys hang on lease " + std::to_string(lease) + " than were put under it");
}

void Session::load(Load& load, std::size_t in_flight, std::int64_t microseconds) {
  const Clock::time_point end = after(microseconds);
  std::int64_t left = microseconds;
  while (left > 0) {
    if (link_.hung_up) throw Broken("the member hung up");
    while (model_.open() < in_flight) {
      const Operation operation = load.next(model_);
      const Request request = encode(operation);
      model_.asked(operation);
      const api::StreamId stream = link_.client.call(request.path, Bytes::copy_of(request.bytes), std::nullopt);
      operations_.emplace(stream.value(), operation.number);
    }
    turn(left);
    left = until(end);
  }
}

void Session::drain() {
  while (!link_.hung_up) {
    link_.receive();
    take_answers();
  }
}

}  // namespace metastore::crash

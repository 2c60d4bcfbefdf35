// The load generator of ./dev bench: closed loops of gRPC calls over a few connections, cheap enough to share a machine
// with the server that it measures. It prints what it saw as one line of JSON; a call that did not answer as it should
// is an error there, never a good figure.
//
// Usage: load_client HOST:PORT WORKLOAD [name=number]...
#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "core/base/prng.h"
#include "tests/bench/link.h"
#include "tests/bench/wire.h"

namespace metastore::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string endpoint;
  std::string workload;
  std::map<std::string, std::uint64_t> numbers = {
      {"requests", 1'000}, {"in_flight", 64}, {"connections", 1},  {"keys", 100'000},  {"value", 256},
      {"watchers", 100},   {"seed", 1},       {"milliseconds", 0}, {"interval_ms", 0}, {"first_key", 0}};
  std::uint64_t operator[](const char* name) const { return numbers.at(name); }
};

std::string key_name(std::uint64_t key) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "/bench/%09llu", static_cast<unsigned long long>(key));
  return buffer;
}

std::string put_request(std::uint64_t key, const std::string& value) {
  return bytes_field(1, key_name(key)) + bytes_field(2, value);
}

/// If the key exists (its version is greater than 0), then `operation`.
std::string txn_if_exists(std::uint64_t key, const std::string& operation) {
  return bytes_field(1, number_field(1, 1) + bytes_field(3, key_name(key)) + number_field(4, 0)) +
         bytes_field(2, operation);
}

struct Call {
  std::string path;
  std::string message;
};

/// What each workload asks, and how many bytes an answer must have at least to be a good one.
class Workload {
 public:
  explicit Workload(const Options& options)
      : options_(options), prng_(options["seed"], "bench"), value_(static_cast<std::size_t>(options["value"]), 'v') {}

  Call next() {
    const std::string& kind = options_.workload;
    const std::uint64_t key = prng_.below(options_["keys"]);
    if (kind == "put") return {"/etcdserverpb.KV/Put", put_request(key, value_)};
    if (kind == "range") return {"/etcdserverpb.KV/Range", bytes_field(1, key_name(key))};
    if (kind == "list") {
      const std::uint64_t from = prng_.below(options_["keys"] - list_limit);
      return {"/etcdserverpb.KV/Range",
              bytes_field(1, key_name(from)) + bytes_field(2, "/bench0") + number_field(3, list_limit)};
    }
    if (kind == "list_all") return {"/etcdserverpb.KV/Range", bytes_field(1, "/bench/") + bytes_field(2, "/bench0")};
    if (kind == "txn_read") {
      return {"/etcdserverpb.KV/Txn", txn_if_exists(key, bytes_field(1, bytes_field(1, key_name(key))))};
    }
    if (kind == "txn_write") {
      return {"/etcdserverpb.KV/Txn", txn_if_exists(key, bytes_field(2, put_request(key, value_)))};
    }
    if (kind == "grant") return {"/etcdserverpb.Lease/LeaseGrant", number_field(1, 3'600)};
    if (kind == "fill") {
      std::string txn;
      const std::uint64_t end = std::min(filled_ + fill_puts, options_["keys"]);
      for (; filled_ < end; ++filled_) txn += bytes_field(2, bytes_field(2, put_request(filled_, value_)));
      return {"/etcdserverpb.KV/Txn", txn};
    }
    die("no such workload: " + kind);
  }

  std::uint64_t requests() const {
    if (options_.workload == "fill") return (options_["keys"] + fill_puts - 1) / fill_puts;
    return options_["requests"];
  }

  std::size_t answer_bytes_min() const {
    if (options_.workload == "range" || options_.workload == "txn_read") return options_["value"];
    if (options_.workload == "list") return list_limit * options_["value"];
    if (options_.workload == "list_all") return options_["keys"] * options_["value"];
    return 4;
  }

 private:
  static constexpr std::uint64_t fill_puts = 100;
  static constexpr std::uint64_t list_limit = 500;
  const Options& options_;
  Prng prng_;
  std::string value_;
  std::uint64_t filled_ = 0;
};

struct Report {
  std::uint64_t done = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  std::vector<std::uint32_t> microseconds;
  std::uint64_t pause_us = 0;  ///< The longest time without a good answer.
  std::uint64_t lost = 0;      ///< Acknowledged, and not there afterwards.

  void error(const std::string& text) {
    if (errors++ == 0) first_error = text;
  }
  void latency(Clock::duration taken) {
    microseconds.push_back(
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(taken).count()));
  }
  std::uint32_t percentile(std::size_t per_mille) {
    if (microseconds.empty()) return 0;
    const std::size_t at = std::min(microseconds.size() - 1, microseconds.size() * per_mille / 1000);
    std::nth_element(microseconds.begin(), microseconds.begin() + static_cast<std::ptrdiff_t>(at), microseconds.end());
    return microseconds[at];
  }
};

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

api::CallResult call_once(Links& links, const Call& call) {
  Link& link = *links[0];
  link.client.call(call.path, Bytes::copy_of(call.message), std::nullopt);
  while (link.results.empty()) turn(links);
  api::CallResult result = std::move(link.results[0]);
  link.results.clear();
  return result;
}

std::uint64_t revision(Links& links) {
  const api::CallResult result = call_once(links, {"/etcdserverpb.KV/Range", bytes_field(1, "/none")});
  if (result.code != StatusCode::ok) die("a range failed: " + result.text);
  return number_in(bytes_in(result.message.view(), 1), 3);
}

Report run_calls(Links& links, const Options& options) {
  Workload workload(options);
  Report report;
  const std::uint64_t requests = workload.requests();
  const std::uint64_t at_once = std::max<std::uint64_t>(1, options["in_flight"] / links.size());
  std::uint64_t asked = 0;
  // A connection's streams are numbered 1, 3, 5 ...
  std::vector<std::vector<Clock::time_point>> began(links.size());
  const auto place = [](api::StreamId stream) { return static_cast<std::size_t>(stream.value()) / 2; };
  const auto ask = [&](std::size_t i) {
    const Call call = workload.next();
    const api::StreamId stream = links[i]->client.call(call.path, Bytes::copy_of(call.message), std::nullopt);
    began[i].resize(place(stream) + 1);
    began[i].back() = Clock::now();
    ++asked;
  };

  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < links.size(); ++i) {
    for (std::uint64_t n = 0; n < at_once && asked < requests; ++n) ask(i);
  }
  while (report.done < requests) {
    turn(links);
    for (std::size_t i = 0; i < links.size(); ++i) {
      for (const api::CallResult& result : std::exchange(links[i]->results, {})) {
        ++report.done;
        report.latency(Clock::now() - began[i][place(result.stream)]);
        if (result.code != StatusCode::ok) {
          report.error(result.text);
        } else if (result.message.size() < workload.answer_bytes_min()) {
          report.error("an answer of " + std::to_string(result.message.size()) + " bytes");
        }
        if (asked < requests) ask(i);
      }
    }
  }
  report.seconds = seconds_since(begin);
  return report;
}

/// Those of the puts from `first` to `end` that are there.
std::set<std::string> keys_there(Links& links, std::uint64_t first, std::uint64_t end) {
  constexpr std::uint64_t keys_only = 8;
  const api::CallResult result =
      call_once(links, {"/etcdserverpb.KV/Range",
                        bytes_field(1, key_name(first)) + bytes_field(2, key_name(end)) + number_field(keys_only, 1)});
  if (result.code != StatusCode::ok) die("a range failed: " + result.text);
  std::set<std::string> keys;
  each_field(result.message.view(), [&](int number, std::uint64_t, std::string_view record) {
    if (number == 2) keys.emplace(bytes_in(record, 1));
  });
  return keys;
}

/// A few puts at a time, each of a key of its own, for so many milliseconds and until one is answered well after that.
/// None of them waits long: what fails is no error here, but a pause.
Report run_pauses(Links& links, const Options& options) {
  constexpr Duration patience = Duration::milliseconds(50);
  constexpr Clock::duration patience_at_the_end = std::chrono::seconds(60);
  Link& link = *links[0];
  const std::string value(static_cast<std::size_t>(options["value"]), 'v');
  Report report;
  std::map<api::StreamId, std::uint64_t> open;  ///< What is put.
  std::vector<std::uint64_t> acknowledged;
  std::uint64_t next_key = options["first_key"];
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end = begin + std::chrono::milliseconds(options["milliseconds"]);
  Clock::time_point last_good = begin;
  while (!open.empty() || last_good < end) {
    if (Clock::now() > end + patience_at_the_end) die("no put was answered for a minute");
    if (last_good < end) poll(nullptr, 0, static_cast<int>(options["interval_ms"]));
    while (open.size() < options["in_flight"] && last_good < end) {
      const auto message = Bytes::copy_of(put_request(next_key, value));
      open.emplace(link.client.call("/etcdserverpb.KV/Put", message, patience), next_key++);
    }
    turn(links);
    for (const api::CallResult& result : std::exchange(link.results, {})) {
      const std::uint64_t key = open.extract(result.stream).mapped();
      ++report.done;
      if (result.code != StatusCode::ok) continue;
      acknowledged.push_back(key);
      const auto pause = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - last_good).count();
      report.pause_us = std::max(report.pause_us, static_cast<std::uint64_t>(pause));
      last_good = Clock::now();
    }
  }
  report.seconds = seconds_since(begin);
  const std::set<std::string> there = keys_there(links, options["first_key"], next_key);
  for (const std::uint64_t key : acknowledged) report.lost += there.contains(key_name(key)) ? 0 : 1;
  return report;
}

/// Bursts: `in_flight` puts in one write, all answers awaited, then the next. What a server does for one is comparable.
Report run_bursts(Links& links, const Options& options, const std::string& kind) {
  Options calls = options;
  calls.workload = kind;
  calls.numbers["requests"] = options["in_flight"];
  Report report;
  for (std::uint64_t done = 0; done < options["requests"]; done += options["in_flight"]) {
    const Report burst = run_calls(links, calls);
    report.done += burst.done;
    if (burst.errors != 0) report.error(burst.first_error);
    report.seconds += burst.seconds;
  }
  return report;
}

Report run_keep_alive(Links& links, const Options& options) {
  Link& link = *links[0];
  std::vector<std::uint64_t> leases;
  for (std::uint64_t i = 0; i < options["in_flight"]; ++i) {
    const api::CallResult granted = call_once(links, {"/etcdserverpb.Lease/LeaseGrant", number_field(1, 3'600)});
    if (granted.code != StatusCode::ok) die("cannot grant a lease: " + granted.text);
    leases.push_back(number_in(granted.message.view(), 2));
  }
  Report report;
  const api::StreamId stream = link.client.open("/etcdserverpb.Lease/LeaseKeepAlive", std::nullopt);
  std::uint64_t asked = 0;
  const auto ask = [&] { link.client.send(stream, Bytes::copy_of(number_field(1, leases[asked++ % leases.size()]))); };
  const Clock::time_point begin = Clock::now();
  while (asked < std::min<std::uint64_t>(leases.size(), options["requests"])) ask();
  while (report.done < options["requests"]) {
    turn(links);
    if (!link.results.empty()) die("the stream ended: " + link.results[0].text);
    for (const api::StreamMessage& message : link.client.take_received()) {
      ++report.done;
      if (number_in(message.message.view(), 3) == 0) report.error("a lease without time to live");
      if (asked < options["requests"]) ask();
    }
  }
  report.seconds = seconds_since(begin);
  return report;
}

/// One writer and many watchers of its key, whose streams are one a connection. Each event must reach each watcher
/// once, in order; its latency is from the sending of the put.
class FanOut {
 public:
  FanOut(Links& links, const Options& options) : links_(links), options_(options) {}

  Report run() {
    writer_ = links_.back().get();
    const std::uint64_t watchers = options_["watchers"];
    for (std::size_t i = 0; i + 1 < links_.size(); ++i) {
      streams_.push_back(links_[i]->client.open("/etcdserverpb.Watch/Watch", std::nullopt));
      seen_.emplace_back();
    }
    for (std::uint64_t i = 0; i < watchers; ++i) {
      const std::size_t link = i % streams_.size();
      links_[link]->client.send(streams_[link], Bytes::copy_of(bytes_field(1, bytes_field(1, "/watched"))));
    }
    while (created_ < watchers) step();

    const Clock::time_point begin = Clock::now();
    while (report_.done < watchers * options_["requests"]) {
      while (sent_.size() - answered_ < options_["in_flight"] && sent_.size() < options_["requests"]) put();
      step();
    }
    report_.seconds = seconds_since(begin);
    return std::move(report_);
  }

 private:
  void put() {
    std::string value(static_cast<std::size_t>(std::max<std::uint64_t>(options_["value"], 8)), 'v');
    const std::uint64_t number = sent_.size();
    std::memcpy(value.data(), &number, sizeof number);
    sent_.push_back(Clock::now());
    writer_->client.call("/etcdserverpb.KV/Put", Bytes::copy_of(bytes_field(1, "/watched") + bytes_field(2, value)),
                         std::nullopt);
  }

  void step() {
    turn(links_);
    for (const api::CallResult& result : std::exchange(writer_->results, {})) {
      ++answered_;
      if (result.code != StatusCode::ok) die("a put failed: " + result.text);
    }
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      if (!links_[i]->results.empty()) die("a watch ended: " + links_[i]->results[0].text);
      for (const api::StreamMessage& message : links_[i]->client.take_received()) take(i, message.message.view());
    }
  }

  void take(std::size_t link, std::string_view response) {
    const Clock::time_point now = Clock::now();
    std::uint64_t watch = 0;
    std::uint64_t* last = nullptr;
    each_field(response, [&](int number, std::uint64_t value, std::string_view bytes) {
      if (number == 2) watch = value;
      if (number == 3) ++created_;
      if (number == 4) die("a watch was canceled");
      if (number != 11) return;
      std::uint64_t revision = 0;
      std::uint64_t put = 0;
      each_field(bytes_in(bytes, 2), [&](int part, std::uint64_t mod_revision, std::string_view text) {
        if (part == 3) revision = mod_revision;
        if (part == 5) std::memcpy(&put, text.data(), sizeof put);
      });
      if (last == nullptr) last = &seen_[link][watch];
      if (revision <= *last) report_.error("an event again, or out of order");
      *last = revision;
      report_.latency(now - sent_.at(put));
      ++report_.done;
    });
  }

  Links& links_;
  const Options& options_;
  Link* writer_ = nullptr;
  std::vector<api::StreamId> streams_;
  std::vector<std::map<std::uint64_t, std::uint64_t>> seen_;  ///< By connection and watcher: the last revision.
  std::uint64_t created_ = 0;
  std::vector<Clock::time_point> sent_;
  std::uint64_t answered_ = 0;
  Report report_;
};

Report run(Links& links, const Options& options) {
  if (options.workload == "watch") return FanOut(links, options).run();
  if (options.workload == "keep_alive") return run_keep_alive(links, options);
  if (options.workload == "pauses") return run_pauses(links, options);
  if (options.workload == "put_bursts") return run_bursts(links, options, "put");
  if (options.workload == "range_bursts") return run_bursts(links, options, "range");
  return run_calls(links, options);
}

int run(int argc, char** argv) {
  if (argc < 3) die("usage: load_client HOST:PORT WORKLOAD [name=number]...");
  Options options{argv[1], argv[2]};
  for (int i = 3; i < argc; ++i) {
    const std::string word = argv[i];
    const std::size_t equals = word.find('=');
    const auto found = options.numbers.find(word.substr(0, equals));
    if (equals == std::string::npos || found == options.numbers.end()) die("no such option: " + word);
    found->second = std::stoull(word.substr(equals + 1));
  }
  Links links;
  for (std::uint64_t i = 0; i < options["connections"]; ++i) links.push_back(std::make_unique<Link>(options.endpoint));
  if (options.workload == "watch") links.push_back(std::make_unique<Link>(options.endpoint));
  Links observer;
  observer.push_back(std::make_unique<Link>(options.endpoint));
  const std::uint64_t before = revision(observer);
  Report report = options.workload == "nothing" ? Report{} : run(links, options);
  const std::uint64_t after = revision(observer);
  std::replace(report.first_error.begin(), report.first_error.end(), '"', '\'');
  std::printf(
      "{\"done\": %llu, \"errors\": %llu, \"first_error\": \"%s\", \"seconds\": %.6f, \"revisions\": %llu, "
      "\"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u, \"pause_us\": %llu, \"lost\": %llu}\n",
      static_cast<unsigned long long>(report.done), static_cast<unsigned long long>(report.errors),
      report.first_error.c_str(), report.seconds, static_cast<unsigned long long>(after - before),
      report.percentile(500), report.percentile(990), report.percentile(999), report.percentile(1000),
      static_cast<unsigned long long>(report.pause_us), static_cast<unsigned long long>(report.lost));
  return 0;
}

}  // namespace
}  // namespace metastore::bench

int main(int argc, char** argv) { return metastore::bench::run(argc, argv); }

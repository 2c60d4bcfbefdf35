// Crowds of watchers and leases against the real process, made of our own HTTP/2 client, so that ten thousand watchers
// cost a test little and a reader can be as slow as a test wants. Each command checks what it claims and exits 1 with
// the reason where it does not hold; nothing that it checks depends on time.
//
// Usage: crowd HOST:PORT puts COUNT | watchers | sick | resume FIRST LAST COMPACTED | leases ALL ENDING
#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>

#include "tests/bench/link.h"
#include "tests/bench/wire.h"

namespace metastore::bench {
namespace {

constexpr const char* watch_path = "/etcdserverpb.Watch/Watch";
constexpr const char* put_path = "/etcdserverpb.KV/Put";
constexpr std::string_view crowd = "/crowd/";
constexpr std::string_view crowd_end = "/crowd0";
constexpr std::uint64_t keys = 10;

std::string key_name(std::uint64_t key) { return std::string(crowd) + std::to_string(key); }

/// One stream of watchers on a connection of its own. Each must see each of its events once, in order.
class Stream {
 public:
  explicit Stream(const std::string& endpoint, int receive_bytes = 0) : link_(endpoint, receive_bytes) {
    stream_ = link_.client.open(watch_path, std::nullopt);
  }

  /// Watchers are numbered as the server does it: 0, 1, 2 ...
  void watch(std::string_view key, std::string_view end, std::uint64_t from = 0) {
    link_.client.send(
        stream_, Bytes::copy_of(bytes_field(1, bytes_field(1, key) + bytes_field(2, end) + number_field(3, from))));
    seen_.emplace_back();
  }
  void take() {
    if (!link_.results.empty()) die("a watch stream ended: " + link_.results[0].text);
    for (const api::StreamMessage& message : link_.client.take_received()) take(message.message.view());
  }

  struct Seen {
    bool created = false;
    std::uint64_t compacted = 0;  ///< Canceled, for this revision.
    std::uint64_t events = 0;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  bool all_created() const {
    return std::all_of(seen_.begin(), seen_.end(), [](const Seen& seen) { return seen.created; });
  }
  /// Whether each watcher has seen so many events.
  bool all_saw(std::uint64_t events) const {
    return std::all_of(seen_.begin(), seen_.end(), [=](const Seen& seen) {
      if (seen.events > events) die("a watcher saw " + std::to_string(seen.events) + " of " + std::to_string(events));
      return seen.events == events;
    });
  }
  const std::vector<Seen>& seen() const { return seen_; }
  Link& link() { return link_; }

 private:
  void take(std::string_view response) {
    std::uint64_t watch = 0;
    each_field(response, [&](int number, std::uint64_t value, std::string_view) {
      if (number == 2) watch = value;
    });
    if (watch >= seen_.size()) die("a watcher that was not asked for");
    Seen& seen = seen_[watch];
    bool canceled = false;
    each_field(response, [&](int number, std::uint64_t value, std::string_view event) {
      if (number == 3) seen.created = true;
      if (number == 4) canceled = true;
      if (number == 5) seen.compacted = value;
      if (number != 11) return;
      const std::uint64_t revision = number_in(bytes_in(event, 2), 3);
      if (revision <= seen.last) die("an event again, or out of order");
      if (seen.events++ == 0) seen.first = revision;
      seen.last = revision;
    });
    if (canceled && seen.compacted == 0) die("a watch was canceled");
  }

  Link link_;
  api::StreamId stream_;
  std::vector<Seen> seen_;
};

using Streams = std::vector<std::unique_ptr<Stream>>;

/// Sends and receives on all, once something comes on one.
void turn(Streams& streams, Link* writer = nullptr) {
  std::vector<Link*> links;
  for (const auto& stream : streams) links.push_back(&stream->link());
  if (writer != nullptr) links.push_back(writer);
  turn(links);
  for (const auto& stream : streams) stream->take();
}

/// One put after another, some in flight, the keys by turns.
class Writer {
 public:
  Writer(const std::string& endpoint, std::uint64_t puts) : link(endpoint), puts_(puts) {}

  void step() {
    for (const api::CallResult& result : std::exchange(link.results, {})) {
      if (result.code != StatusCode::ok) die("a put failed: " + result.text);
      ++answered_;
    }
    for (; sent_ < puts_ && sent_ - answered_ < 32; ++sent_) {
      link.client.call(put_path,
                       Bytes::copy_of(bytes_field(1, key_name(sent_ % keys)) + bytes_field(2, std::string(100, 'v'))),
                       std::nullopt);
    }
  }
  bool done() const { return answered_ == puts_; }
  Link link;

 private:
  std::uint64_t puts_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
};

void run_puts(const std::string& endpoint, std::uint64_t count) {
  Writer writer(endpoint, count);
  std::vector<Link*> links = {&writer.link};
  for (writer.step(); !writer.done(); writer.step()) turn(links);
}

void create_all(Streams& streams) {
  while (!std::all_of(streams.begin(), streams.end(), [](const auto& stream) { return stream->all_created(); })) {
    turn(streams);
  }
}

bool all_saw(const Streams& streams, std::uint64_t events) {
  return std::all_of(streams.begin(), streams.end(), [=](const auto& stream) { return stream->all_saw(events); });
}

/// A hundred watchers, ten a stream, and a thousand events: each sees each.
void run_watchers(const std::string& endpoint) {
  constexpr std::uint64_t events = 1'000;
  Streams streams;
  for (int i = 0; i < 10; ++i) {
    streams.push_back(std::make_unique<Stream>(endpoint));
    for (int n = 0; n < 10; ++n) streams.back()->watch(crowd, crowd_end);
  }
  create_all(streams);
  Writer writer(endpoint, events);
  for (writer.step(); !writer.done() || !all_saw(streams, events); writer.step()) turn(streams, &writer.link);
}

/// Ten thousand watchers on a hundred streams, of which ten read little and ten nothing until the others have seen all.
void run_sick(const std::string& endpoint) {
  constexpr std::uint64_t events = 500;
  Streams healthy;
  Streams slow;
  Streams stopped;
  for (int i = 0; i < 100; ++i) {
    Streams& streams = i < 80 ? healthy : i < 90 ? slow : stopped;
    streams.push_back(std::make_unique<Stream>(endpoint, i < 80 ? 0 : 4'096));
    for (std::uint64_t n = 0; n < 100; ++n) {
      // The sick ones are owed ten times as much.
      if (i < 80) streams.back()->watch(key_name(n % keys), {});
      if (i >= 80) streams.back()->watch(crowd, crowd_end);
    }
  }
  create_all(healthy);
  create_all(slow);
  create_all(stopped);
  std::cout << "created" << std::endl;
  std::cin.get();
  Writer writer(endpoint, events);
  std::uint64_t turns = 0;
  for (writer.step(); !writer.done() || !all_saw(healthy, events / keys); writer.step()) {
    turn(healthy, &writer.link);
    if (++turns % 10 != 0) continue;
    for (const auto& stream : slow) {
      stream->link().receive(1'024);
      stream->link().send();
      stream->take();
    }
  }
  if (all_saw(slow, events) || all_saw(stopped, events)) die("nobody was sick");
  std::cout << "healthy" << std::endl;
  std::cin.get();
  while (!all_saw(slow, events)) turn(slow);
  while (!all_saw(stopped, events)) turn(stopped);
}

/// A watcher from each revision on, and none from before the compacted one.
void run_resume(const std::string& endpoint, std::uint64_t first, std::uint64_t last, std::uint64_t compacted) {
  Streams streams;
  streams.push_back(std::make_unique<Stream>(endpoint));
  for (std::uint64_t from = first; from <= last; ++from) streams[0]->watch(crowd, crowd_end, from);
  const auto is_settled = [&](std::uint64_t from) {
    const Stream::Seen& seen = streams[0]->seen()[from - first];
    if (from < compacted) return seen.compacted == compacted && seen.events == 0;
    return seen.created && seen.first == from && seen.last == last && seen.events == last - from + 1;
  };
  for (std::uint64_t from = first; from <= last;) {
    if (is_settled(from)) {
      ++from;
    } else {
      turn(streams);
    }
  }
}

using Clock = std::chrono::steady_clock;

/// `calls` calls, 256 in flight; each is made when it is sent.
template <typename Make>
void run_calls(Links& links, std::uint64_t calls, const char* path, Make make) {
  std::uint64_t sent = 0;
  for (std::uint64_t answered = 0; answered < calls;) {
    for (; sent < calls && sent - answered < 256; ++sent) {
      links[0]->client.call(path, Bytes::copy_of(make(sent)), std::nullopt);
    }
    turn(links);
    for (const api::CallResult& result : std::exchange(links[0]->results, {})) {
      if (result.code != StatusCode::ok) die(result.text);
      ++answered;
    }
  }
}

std::uint64_t count_keys(Links& links) {
  links[0]->client.call("/etcdserverpb.KV/Range",
                        Bytes::copy_of(bytes_field(1, crowd) + bytes_field(2, crowd_end) + number_field(9, 1)),
                        std::nullopt);
  while (links[0]->results.empty()) turn(links);
  const api::CallResult result = std::move(links[0]->results[0]);
  links[0]->results.clear();
  if (result.code != StatusCode::ok) die(result.text);
  return number_in(result.message.view(), 4);
}

/// So many leases, of which some, each with a key, end in one second. How long after it the last key went.
void run_leases(const std::string& endpoint, std::uint64_t all, std::uint64_t ending) {
  Links links;
  links.push_back(std::make_unique<Link>(endpoint));
  const auto lease = [](std::uint64_t id, std::int64_t seconds) {
    return number_field(1, static_cast<std::uint64_t>(seconds)) + number_field(2, id);
  };
  run_calls(links, all - ending, "/etcdserverpb.Lease/LeaseGrant",
            [&](std::uint64_t i) { return lease(ending + 1 + i, 86'400); });
  const Clock::time_point end = Clock::now() + std::chrono::seconds(60);
  run_calls(links, ending, "/etcdserverpb.Lease/LeaseGrant", [&](std::uint64_t i) {
    return lease(1 + i, std::chrono::duration_cast<std::chrono::seconds>(end - Clock::now()).count());
  });
  run_calls(links, ending, put_path, [&](std::uint64_t i) {
    return bytes_field(1, key_name(i)) + bytes_field(2, "v") + number_field(3, 1 + i);
  });
  if (Clock::now() > end || count_keys(links) != ending) die("a lease ended before all were granted");
  std::cout << "granted" << std::endl;
  std::uint64_t left = ending;
  Clock::duration slowest{};
  double begun = 0;
  while (left > 0) {
    const Clock::time_point asked = Clock::now();
    left = count_keys(links);
    slowest = std::max(slowest, Clock::now() - asked);
    if (left < ending && begun == 0) begun = std::chrono::duration<double>(Clock::now() - end).count();
  }
  std::printf("the first key went %.2f s and the last %.2f s after the second began; the slowest read took %.0f ms\n",
              begun, std::chrono::duration<double>(Clock::now() - end).count(),
              std::chrono::duration<double, std::milli>(slowest).count());
}

int run(int argc, char** argv) {
  const std::string endpoint = argc > 1 ? argv[1] : "";
  const std::string command = argc > 2 ? argv[2] : "";
  const auto number = [&](int i) { return std::stoull(argv[i]); };
  if (command == "puts" && argc == 4) {
    run_puts(endpoint, number(3));
  } else if (command == "watchers" && argc == 3) {
    run_watchers(endpoint);
  } else if (command == "sick" && argc == 3) {
    run_sick(endpoint);
  } else if (command == "resume" && argc == 6) {
    run_resume(endpoint, number(3), number(4), number(5));
  } else if (command == "leases" && argc == 5) {
    run_leases(endpoint, number(3), number(4));
  } else {
    die("usage: crowd HOST:PORT puts COUNT | watchers | sick | resume FIRST LAST COMPACTED | leases ALL ENDING");
  }
  return 0;
}

}  // namespace
}  // namespace metastore::bench

int main(int argc, char** argv) { return metastore::bench::run(argc, argv); }

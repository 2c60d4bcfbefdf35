// The same drawn watches and changes on two servers: each watcher must see the same on both, whatever the server makes
// one response of. Nothing here depends on time: what is compared is waited for.
//
// Usage: watch_client ENDPOINT OTHER_ENDPOINT SEED ROUNDS
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <condition_variable>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/proto/rpc.grpc.pb.h"

namespace {

using etcdserverpb::KV;
using etcdserverpb::WatchRequest;
using etcdserverpb::WatchResponse;

[[noreturn]] void fail(const std::string& text) {
  std::cerr << text << "\n";
  std::exit(1);
}

std::string described(const mvccpb::KeyValue& kv) {
  return kv.key() + "=" + kv.value() + " " + std::to_string(kv.create_revision()) + "/" +
         std::to_string(kv.mod_revision()) + "/" + std::to_string(kv.version()) + "/" + std::to_string(kv.lease());
}

/// A server, and one watch stream of it whose responses are kept by watcher.
class Side {
 public:
  explicit Side(const std::string& endpoint)
      : kv_(KV::NewStub(grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials()))),
        watch_(etcdserverpb::Watch::NewStub(grpc::CreateChannel(endpoint, grpc::InsecureChannelCredentials()))),
        stream_(watch_->Watch(&context_)),
        reader_([this] { read(); }) {}
  ~Side() {
    context_.TryCancel();
    reader_.join();
  }

  template <typename Response, typename Request, typename Call>
  std::int64_t ask(const Request& request, Call call) {
    grpc::ClientContext context;
    Response response;
    const grpc::Status status = (kv_.get()->*call)(&context, request, &response);
    if (!status.ok()) fail(status.error_message());
    return response.header().revision();
  }
  void send(const WatchRequest& request) {
    if (!stream_->Write(request)) fail("the stream takes no more");
  }
  void end_requests() { stream_->WritesDone(); }

  /// What was told until now, by watcher.
  std::map<std::int64_t, std::string> now() {
    const std::scoped_lock lock(mutex_);
    return told_;
  }
  /// The same, once `condition` of it holds.
  template <typename Condition>
  std::map<std::int64_t, std::string> wait(Condition&& condition) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return has_ended_ || condition(told_); })) {
      for (const auto& [id, text] : told_) std::cerr << id << ":\n" << text;
      fail("what was waited for did not come");
    }
    if (has_ended_) fail("the stream ended");
    return told_;
  }

 private:
  void read() {
    WatchResponse response;
    while (stream_->Read(&response)) {
      const std::scoped_lock lock(mutex_);
      std::string& text = told_[response.watch_id()];
      if (response.created() || response.canceled()) {
        text += std::string(response.created() ? "created " : "") + (response.canceled() ? "canceled " : "") +
                std::to_string(response.header().revision()) + " " + std::to_string(response.compact_revision()) + " " +
                response.cancel_reason() + "\n";
      }
      for (const mvccpb::Event& event : response.events()) {
        text += (event.type() == mvccpb::Event::DELETE ? "delete " : "put ") + described(event.kv());
        if (event.has_prev_kv()) text += " was " + described(event.prev_kv());
        text += "\n";
      }
      changed_.notify_all();
    }
    const std::scoped_lock lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
  }

  std::unique_ptr<KV::Stub> kv_;
  std::unique_ptr<etcdserverpb::Watch::Stub> watch_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<WatchRequest, WatchResponse>> stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::int64_t, std::string> told_;
  bool has_ended_ = false;
  std::thread reader_;
};

using Told = std::map<std::int64_t, std::string>;

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++found;
  return found;
}

struct Change {
  std::string key;
  bool is_delete = false;
  std::int64_t revision = 0;
};

/// A watcher that lives, or that the server ends at once because it asks for what is compacted.
struct Watcher {
  std::string key;
  std::string end;
  bool no_put = false;
  bool no_delete = false;
  bool is_compacted = false;

  bool sees(const Change& change) const {
    if (change.is_delete ? no_delete : no_put) return false;
    if (end.empty()) return change.key == key;
    return change.key >= key && (end == std::string(1, '\0') || change.key < end);
  }
};

class Differential {
 public:
  Differential(const std::string& ours, const std::string& theirs, std::uint64_t seed)
      : ours_(ours), theirs_(theirs), random_(seed) {}

  void run(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      for (int i = 0; i < 30; ++i) {
        const std::uint64_t kind = below(100);
        if (kind < 20) {
          create();
        } else if (kind < 25) {
          cancel();
        } else {
          change();
        }
      }
      compare();
      compact();
    }
    // Whoever asks for no more still listens.
    ours_.end_requests();
    theirs_.end_requests();
    change();
    compare();
    std::cout << created_ << " watchers, " << revision_ << " revisions\n";
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  std::string key() { return std::string(1, static_cast<char>('a' + below(8))); }

  template <typename Response, typename Request, typename Call>
  void ask(const Request& request, Call call) {
    const std::int64_t expected = theirs_.ask<Response>(request, call);
    revision_ = ours_.ask<Response>(request, call);
    if (revision_ != expected) fail("revisions differ: " + request.ShortDebugString());
  }

  void put(const std::string& name) {
    etcdserverpb::PutRequest request;
    request.set_key(name);
    request.set_value(std::to_string(below(1000)));
    ask<etcdserverpb::PutResponse>(request, &KV::Stub::Put);
  }
  void remove(const std::string& from, const std::string& end) {
    etcdserverpb::DeleteRangeRequest request;
    request.set_key(from);
    request.set_range_end(end);
    ask<etcdserverpb::DeleteRangeResponse>(request, &KV::Stub::DeleteRange);
  }
  void change() {
    const std::uint64_t kind = below(10);
    if (kind < 6) return put(key());
    if (kind < 8) return remove(key(), chance(50) ? key() : "");
    etcdserverpb::TxnRequest request;
    std::set<std::string> names;
    while (names.size() < 3) names.insert(key());
    for (const std::string& name : names) {
      if (chance(30)) {
        request.add_success()->mutable_request_delete_range()->set_key(name);
      } else {
        request.add_success()->mutable_request_put()->set_key(name);
      }
    }
    ask<etcdserverpb::TxnResponse>(request, &KV::Stub::Txn);
  }
  void compact() {
    // At a put of a key that few watch, because etcd 3.4 loses a deletion at that very revision.
    etcdserverpb::CompactionRequest request;
    request.set_revision(revision_);
    ask<etcdserverpb::CompactionResponse>(request, &KV::Stub::Compact);
    compacted_ = revision_;
  }

  void create() {
    WatchRequest request;
    auto& create = *request.mutable_create_request();
    if (!chance(5)) create.set_key(key());
    const std::uint64_t kind = below(10);
    if (kind < 4) create.set_range_end(key());
    if (kind == 4) create.set_range_end(std::string(1, '\0'));
    // What begins later than now begins before the next comparison ends.
    if (chance(60)) create.set_start_revision(1 + static_cast<std::int64_t>(below(revision_ + 4)));
    if (chance(20)) create.set_watch_id(100 + created_);
    // One that the server has ended itself keeps its number in etcd, and not here.
    const bool can_repeat = !watchers_.empty() && !watchers_.rbegin()->second.is_compacted;
    if (chance(5) && can_repeat) create.set_watch_id(watchers_.rbegin()->first);
    create.set_prev_kv(chance(40));
    create.set_fragment(chance(20));
    if (chance(15)) create.add_filters(etcdserverpb::WatchCreateRequest::NOPUT);
    if (chance(15)) create.add_filters(etcdserverpb::WatchCreateRequest::NODELETE);
    const Told before = ours_.now();
    send(request);
    ++created_;
    const auto is_created = [this](const Told& told) {
      std::size_t all = 0;
      for (const auto& [id, text] : told) all += count(text, "created");
      return all == static_cast<std::size_t>(created_);
    };
    theirs_.wait(is_created);
    const Told after = ours_.wait(is_created);
    for (const auto& [id, text] : after) {
      const auto former = before.find(id);
      if (id < 0 || count(text, "created") == (former == before.end() ? 0 : count(former->second, "created"))) continue;
      const auto has = [&](int filter) {
        return std::find(create.filters().begin(), create.filters().end(), filter) != create.filters().end();
      };
      watchers_[id] = {create.key().empty() ? std::string(1, '\0') : create.key(), create.range_end(),
                       has(etcdserverpb::WatchCreateRequest::NOPUT), has(etcdserverpb::WatchCreateRequest::NODELETE),
                       create.start_revision() != 0 && create.start_revision() < compacted_};
    }
  }

  /// One that lives, or one that never did. etcd 3.4 answers once more when it has ended one itself.
  void cancel() {
    std::int64_t id = 99;
    if (!watchers_.empty() && chance(80)) id = std::next(watchers_.begin(), below(watchers_.size()))->first;
    const bool is_known = watchers_.contains(id);
    if (is_known && watchers_.at(id).is_compacted) return;
    watchers_.erase(id);
    canceled_.insert(id);
    WatchRequest request;
    request.mutable_cancel_request()->set_watch_id(id);
    const Told before = ours_.now();
    send(request);
    if (!is_known) return;
    const auto is_canceled = [&](const Told& told) {
      return count(told.at(id), "canceled") > count(before.at(id), "canceled");
    };
    theirs_.wait(is_canceled);
    ours_.wait(is_canceled);
  }

  void send(const WatchRequest& request) {
    ours_.send(request);
    theirs_.send(request);
  }

  /// Every key is put and deleted, so that of each watcher it is known what it is told at last.
  void compare() {
    std::vector<Change> changes;
    const auto note = [&](const std::string& name, bool is_delete) { changes.push_back({name, is_delete, revision_}); };
    for (char name = 'a'; name <= 'h'; ++name) put(std::string(1, name)), note(std::string(1, name), false);
    for (char name = 'a'; name <= 'h'; ++name) remove(std::string(1, name), ""), note(std::string(1, name), true);
    put("z"), note("z", false);
    const auto is_complete = [&](const Told& told) {
      for (const auto& [id, watcher] : watchers_) {
        const std::string& text = told.at(id);
        if (watcher.is_compacted) {
          if (count(text, "canceled") == 0) return false;
          continue;
        }
        const auto last = std::find_if(changes.rbegin(), changes.rend(),
                                       [&, &one = watcher](const Change& change) { return one.sees(change); });
        if (last != changes.rend() && count(text, "/" + std::to_string(last->revision) + "/") == 0) return false;
      }
      return true;
    };
    const Told expected = theirs_.wait(is_complete);
    const Told got = ours_.wait(is_complete);
    for (const auto& [id, text] : expected) {
      // What was on its way when a client canceled may come or not.
      if (canceled_.contains(id)) continue;
      const auto mine = got.find(id);
      const std::string told = mine == got.end() ? "" : mine->second;
      if (told != text) fail("watcher " + std::to_string(id) + " was told\n" + told + "instead of\n" + text);
    }
    if (got.size() != expected.size()) fail("more watchers were told something than by the other");
  }

  Side ours_;
  Side theirs_;
  std::mt19937_64 random_;
  std::map<std::int64_t, Watcher> watchers_;
  std::set<std::int64_t> canceled_;
  std::int64_t revision_ = 1;
  std::int64_t compacted_ = 0;
  int created_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: watch_client ENDPOINT OTHER_ENDPOINT SEED ROUNDS\n";
    return 2;
  }
  Differential(argv[1], argv[2], std::stoull(argv[3])).run(std::stoi(argv[4]));
  return 0;
}

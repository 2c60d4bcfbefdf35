#include "net/peer_inquiry.h"

#include <algorithm>
#include <utility>

#include "net/peer_address.h"
#include "net/peer_frame.h"

namespace metastore::net {
namespace {

constexpr Duration pause = Duration::milliseconds(100);
/// A question that has no answer by then is asked anew.
constexpr Duration question_time = Duration::seconds(1);

}  // namespace

/// To one URL, once.
class PeerInquiry::Question final : private port::Connector, private port::ConnectionUser {
 public:
  Question(PeerInquiry& inquiry, const std::string& url, const PeerAddress& address)
      : inquiry_(inquiry), url_(url), budget_{roster_bytes_max, 0}, reader_(budget_, roster_bytes_max) {
    attempt_ = inquiry_.network_.connect(address.host, address.port, *this);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

 private:
  void on_connected(std::unique_ptr<port::Connection> connection) override {
    attempt_.reset();
    connection_ = std::move(connection);
    connection_->set_user(*this);
    std::string out;
    append_frame(out, FrameKind::inquiry, encode_inquiry());
    connection_->write(std::move(out));
  }
  void on_connect_failed(const port::ConnectError&) override { fail(); }
  void on_bytes(BytesView bytes) override {
    if (is_over_) return;
    const auto frame = reader_.next(bytes);
    if (!frame) return fail();
    if (!frame.value().has_value()) return;
    is_over_ = true;
    auto roster = frame.value()->kind == FrameKind::roster ? decode_roster(frame.value()->payload) : std::nullopt;
    if (!roster) return inquiry_.on_failed();
    inquiry_.on_answered(*std::move(roster), url_);
  }
  void on_drained() override {}
  void on_closed() override { fail(); }

  void fail() {
    if (!std::exchange(is_over_, true)) inquiry_.on_failed();
  }

  PeerInquiry& inquiry_;
  const std::string url_;
  FrameBudget budget_;
  FrameReader reader_;
  std::unique_ptr<port::ConnectAttempt> attempt_;
  std::unique_ptr<port::Connection> connection_;
  bool is_over_ = false;
};

PeerInquiry::PeerInquiry(port::Loop& loop, port::Network& network, Subject subject, port::Task& done)
    : loop_(loop),
      network_(network),
      subject_(std::move(subject)),
      ends_at_(loop.now() + subject_.patience),
      done_(done) {
  ask();
}

PeerInquiry::~PeerInquiry() { loop_.cancel(*this); }

void PeerInquiry::ask() {
  questions_.clear();
  for (const std::string& url : subject_.urls) {
    if (const auto address = parse_peer_url(url)) {
      questions_.push_back(std::make_unique<Question>(*this, url, *address));
    }
  }
  open_ = questions_.size();
  if (open_ == 0) return end();
  loop_.run_at(*this, std::min(ends_at_, loop_.now() + question_time));
}

bool PeerInquiry::is_helpful() const {
  if (subject_.wanted.empty()) return true;
  return std::any_of(roster_->peers.begin(), roster_->peers.end(), [this](const Peer& peer) {
    std::vector<std::string> urls = peer.urls;
    // Texts have a total order.
    std::sort(urls.begin(), urls.end());
    return urls == subject_.wanted;
  });
}

void PeerInquiry::on_answered(Roster roster, const std::string& url) {
  Peer self{.id = roster.from.member, .urls = {url}};
  self.data_id = roster.from.data_id;
  roster.peers.push_back(std::move(self));
  roster_ = std::move(roster);
  if (is_helpful()) return end();
  // It may not have heard of the change that is wanted yet.
  on_failed();
}

void PeerInquiry::on_failed() {
  if (--open_ > 0 || has_ended_) return;
  if (!subject_.asks_again) return end();
  loop_.run_at(*this, std::min(ends_at_, loop_.now() + pause));
}

void PeerInquiry::end() {
  if (std::exchange(has_ended_, true)) return;
  loop_.cancel(*this);
  loop_.run_soon(done_);
}

void PeerInquiry::run() {
  if (loop_.now() >= ends_at_) return end();
  ask();
}

}  // namespace metastore::net

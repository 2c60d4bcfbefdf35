#include "sim/http2_line.h"

#include <string>

namespace metastore::sim {

api::Http2Client& Http2Line::calls() {
  if (http2_ == nullptr || !http2_->usable()) {
    http2_ = std::make_unique<api::Http2Client>(api::Http2ClientOptions{});
    is_writing_ = false;
    connection_ = network_.connect(port_);
    connection_->set_user(*this);
  }
  return *http2_;
}

void Http2Line::cancel(api::StreamId stream) {
  if (http2_ == nullptr || !http2_->is_open(stream)) return;
  http2_->cancel(stream, results_);
  flush();
}

void Http2Line::send(api::StreamId stream, Bytes message) {
  if (!http2_->is_open(stream)) return;
  http2_->send(stream, std::move(message));
  flush();
}

void Http2Line::flush() {
  if (is_writing_ || connection_ == nullptr) return;
  constexpr std::size_t write_bytes_max = 65'536;
  std::string out;
  http2_->write_to(out, write_bytes_max, results_);
  if (out.empty()) return;
  is_writing_ = true;
  connection_->write(std::move(out));
}

void Http2Line::pause_reading(bool is_paused) {
  if (connection_ != nullptr) connection_->pause_reading(is_paused);
}

std::vector<api::StreamMessage> Http2Line::take_received() {
  return http2_ == nullptr ? std::vector<api::StreamMessage>() : http2_->take_received();
}

void Http2Line::on_bytes(BytesView bytes) {
  http2_->receive(bytes, results_);
  flush();
  news_.run();
}

void Http2Line::on_drained() {
  is_writing_ = false;
  flush();
  if (!results_.empty()) news_.run();
}

void Http2Line::on_closed() {
  http2_->close(results_);
  connection_.reset();
  news_.run();
}

}  // namespace metastore::sim

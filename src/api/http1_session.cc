// Beast asserts that a last chunk comes with at least five bytes, though "0", CR, LF and CR, four bytes of a whole one,
// may well come first (1.74 and 1.81, parse_chunk_header). Without the assertion it asks for more, as it should.
#define BOOST_DISABLE_ASSERTS

#include "api/http1_session.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>
#include <utility>

#include "core/base/assert.h"

namespace metastore::api {
namespace {

namespace http = boost::beast::http;

struct Reason {
  int status;
  std::string_view text;
};

constexpr std::array reasons = {
    Reason{100, "Continue"},
    Reason{200, "OK"},
    Reason{400, "Bad Request"},
    Reason{404, "Not Found"},
    Reason{405, "Method Not Allowed"},
    Reason{413, "Request Entity Too Large"},
    Reason{417, "Expectation Failed"},
    Reason{431, "Request Header Fields Too Large"},
    Reason{500, "Internal Server Error"},
    Reason{501, "Not Implemented"},
    Reason{503, "Service Unavailable"},
    Reason{505, "HTTP Version Not Supported"},
};

std::string_view view_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string_view http_reason(int status) {
  const auto found = std::find_if(reasons.begin(), reasons.end(), [&](const Reason& r) { return r.status == status; });
  return found == reasons.end() ? std::string_view("Unknown") : found->text;
}

struct Http1Session::Parser {
  explicit Parser(const SessionOptions& options) {
    constexpr std::uint64_t any = std::numeric_limits<std::uint32_t>::max();
    request.eager(true);
    request.header_limit(static_cast<std::uint32_t>(std::min(options.limits.header_bytes_max, any)));
    request.body_limit(options.message_bytes_max());
  }

  http::request_parser<http::string_body> request;
  bool continue_sent = false;
};

Http1Session::Http1Session(const SessionOptions& options) : options_(options) {}

Http1Session::~Http1Session() = default;

void Http1Session::receive(BytesView bytes) {
  if (!ending_) in_.append(bytes);
}

std::optional<HttpRequest> Http1Session::next() {
  if (request_open_ || ending_ || in_.empty()) return std::nullopt;
  if (parser_ == nullptr) parser_ = std::make_unique<Parser>(options_);
  auto& request = parser_->request;
  boost::system::error_code error;
  std::size_t used = 0;
  while (used < in_.size() && !request.is_done() && !error) {
    used += request.put(boost::asio::const_buffer(in_.data() + used, in_.size() - used), error);
  }
  in_.erase(0, used);
  if (error && error != http::error::need_more) {
    if (error == http::error::header_limit) {
      reject(431, "the headers exceed " + std::to_string(options_.limits.header_bytes_max) + " bytes");
    } else if (error == http::error::body_limit) {
      reject(413, "the body exceeds " + std::to_string(options_.message_bytes_max()) + " bytes");
    } else if (error == http::error::bad_version) {
      reject(505, "HTTP/1.0 and HTTP/1.1 are spoken here, and HTTP/2 with its preface");
    } else {
      reject(400, "this is no HTTP request: " + error.message());
    }
    return std::nullopt;
  }
  if (!request.is_done()) {
    if (request.is_header_done() && !std::exchange(parser_->continue_sent, true) &&
        boost::beast::iequals(request.get()[http::field::expect], "100-continue")) {
      out_.append("HTTP/1.1 100 Continue\r\n\r\n");
    }
    return std::nullopt;
  }
  auto message = request.release();
  parser_.reset();
  request_open_ = true;
  keep_alive_ = message.keep_alive() && message.version() == 11;
  HttpRequest whole{std::string(view_of(message.method_string())), std::string(view_of(message.target())),
                    std::move(message.body())};
  head_only_ = whole.method == "HEAD";
  return whole;
}

void Http1Session::reject(int status, std::string_view reason) {
  ASSERT(!request_open_);
  keep_alive_ = false;
  head_only_ = false;
  append_response({status, plain_text, std::string(reason) + '\n'});
}

void Http1Session::respond(const HttpResponse& response) {
  ASSERT(request_open_);
  request_open_ = false;
  append_response(response);
}

void Http1Session::append_response(const HttpResponse& response) {
  const auto line = [this](std::string_view name, std::string_view value) {
    out_.append(name).append(": ").append(value).append("\r\n");
  };
  out_.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out_.append(http_reason(response.status)).append("\r\n");
  line("Content-Type", response.content_type);
  line("Content-Length", std::to_string(response.body.size()));
  if (!response.allow.empty()) line("Allow", response.allow);
  if (!keep_alive_) line("Connection", "close");
  out_.append("\r\n");
  if (!head_only_) out_.append(response.body);
  if (!keep_alive_) {
    ending_ = true;
    in_.clear();
  }
}

void Http1Session::write_to(std::string& out) {
  if (out.empty()) {
    out.swap(out_);
    return;
  }
  out.append(out_);
  out_.clear();
}

void Http1Session::begin_shutdown() {
  keep_alive_ = false;
  if (!request_open_) ending_ = true;
}

}  // namespace metastore::api

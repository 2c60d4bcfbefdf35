#include "api/http1_session.h"

#include <doctest/doctest.h>

#include <vector>

namespace metastore::api {
namespace {

constexpr std::string_view get_health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

std::vector<HttpRequest> feed(Http1Session& session, std::string_view bytes, std::size_t piece) {
  std::vector<HttpRequest> requests;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    session.receive(bytes.substr(at, piece));
    while (auto request = session.next()) {
      session.respond({200, "text/plain", request->target + ";"});
      requests.push_back(*std::move(request));
    }
  }
  return requests;
}

std::string output(Http1Session& session) {
  std::string out;
  session.write_to(out);
  return out;
}

TEST_CASE("requests sent ahead are answered in order, however their bytes are cut") {
  const std::string bytes = std::string(get_health) +
                            "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                            "POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                            "POST /empty HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                            "HEAD /head HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::vector<HttpRequest> expected = {{"GET", "/health", ""},
                                             {"POST", "/a?b=c", "hello"},
                                             {"POST", "/chunked", "abcde"},
                                             {"POST", "/empty", ""},
                                             {"HEAD", "/head", ""}};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Http1Session session(SessionOptions{});
    CHECK(feed(session, bytes, piece) == expected);
    CHECK(output(session) ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n/health;"
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n/a?b=c;"
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n/chunked;"
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n/empty;"
          "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n");
    CHECK(!session.finished());
  }
}

TEST_CASE("the next request waits until the one before it is answered") {
  Http1Session session(SessionOptions{});
  session.receive(std::string(get_health) + std::string(get_health));
  CHECK(session.next());
  CHECK(!session.next());
  CHECK(session.waiting_bytes() == get_health.size());
  session.respond({404, "text/plain", ""});
  CHECK(session.next());
}

TEST_CASE("a connection that asks for its end gets it after the answer") {
  for (const std::string_view request :
       {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"}) {
    Http1Session session(SessionOptions{});
    CHECK(feed(session, request, 1'000).size() == 1);
    CHECK(!session.finished());
    CHECK(output(session).find("Connection: close\r\n") != std::string::npos);
    CHECK(session.finished());
    CHECK(feed(session, get_health, 1'000).empty());
  }
}

TEST_CASE("a shutdown ends an idle connection at once and a busy one after its answer") {
  Http1Session idle(SessionOptions{});
  idle.begin_shutdown();
  CHECK(idle.finished());
  Http1Session busy(SessionOptions{});
  busy.receive(get_health);
  CHECK(busy.next());
  busy.begin_shutdown();
  CHECK(!busy.finished());
  busy.respond({200, "text/plain", "x"});
  CHECK(output(busy).find("Connection: close\r\n") != std::string::npos);
  CHECK(busy.finished());
}

TEST_CASE("what is no request, or too large a one, is told so and ends the connection") {
  const auto answer = [](const std::string& bytes) {
    SessionOptions options;
    options.limits.header_bytes_max = 200;
    options.limits.request_bytes_max = 10;
    options.limits.receive_slack_bytes = 0;
    Http1Session session(options);
    CHECK(feed(session, bytes, 7).empty());
    const std::string out = output(session);
    CHECK(session.finished());
    CHECK(feed(session, std::string(get_health), 1'000).empty());
    return out.substr(0, out.find("\r\n"));
  };
  CHECK(answer("\x16\x03\x01 garbage\r\n\r\n") == "HTTP/1.1 400 Bad Request");
  CHECK(answer("GET / HTTP/3.0\r\n\r\n") == "HTTP/1.1 505 HTTP Version Not Supported");
  CHECK(answer("GET / HTTP/1.1\r\nX: " + std::string(300, 'x') + "\r\n\r\n") ==
        "HTTP/1.1 431 Request Header Fields Too Large");
  CHECK(answer("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n") == "HTTP/1.1 413 Request Entity Too Large");
  CHECK(answer("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n") ==
        "HTTP/1.1 413 Request Entity Too Large");
  CHECK(answer("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n") == "HTTP/1.1 400 Bad Request");
}

TEST_CASE("a client that asks whether to go on with its body is told to, once") {
  Http1Session session(SessionOptions{});
  const std::string head = "POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  CHECK(feed(session, head, 1).empty());
  CHECK(output(session) == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(feed(session, "a", 1).empty());
  CHECK(output(session).empty());
  CHECK(feed(session, "b", 1).size() == 1);
}

}  // namespace
}  // namespace metastore::api

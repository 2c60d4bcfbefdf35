#include "server/log_lines.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "server/log_posix.h"

namespace metastore::server {
namespace {

constexpr WallTime moment{1'767'323'045'000'007'999};  // 2026-01-02T03:04:05.000007999Z

std::string line_of(const TraceLine& line, WallTime time = moment) {
  std::string out;
  append_log_line(out, time, line);
  return out;
}

TEST_CASE("a line has zap's keys in zap's order, then the fact's fields") {
  const TraceLine line{
      .level = TraceLevel::warn,
      .message = "disk is slow",
      .fields = {{"member", std::string("8e9e")}, {"took", std::int64_t{-3}}, {"id", ~std::uint64_t{0}}},
      .source = {"../../src/core/raft/election.cc", 42}};
  CHECK(line_of(line) ==
        "{\"level\":\"warn\",\"ts\":\"2026-01-02T03:04:05.000007Z\",\"caller\":\"raft/election.cc:42\","
        "\"msg\":\"disk is slow\",\"member\":\"8e9e\",\"took\":-3,\"id\":18446744073709551615}\n");
}

TEST_CASE("the caller is the place that states the fact") {
  const nlohmann::json parsed = nlohmann::json::parse(line_of({TraceLevel::info, "x", {}}));
  CHECK(parsed["caller"] == "server/log_lines_test.cc:" + std::to_string(__LINE__ - 1));
}

TEST_CASE("every level gives valid JSON with the four keys") {
  const std::pair<TraceLevel, const char*> levels[] = {{TraceLevel::debug, "debug"},
                                                       {TraceLevel::info, "info"},
                                                       {TraceLevel::warn, "warn"},
                                                       {TraceLevel::error, "error"}};
  for (const auto& [level, name] : levels) {
    const nlohmann::json parsed = nlohmann::json::parse(line_of({level, "m", {}}));
    CHECK(parsed["level"] == name);
    CHECK(parsed["msg"] == "m");
    CHECK(parsed.contains("ts"));
    CHECK(parsed.contains("caller"));
  }
}

TEST_CASE("any bytes in a field give one line of valid JSON") {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string line = line_of({TraceLevel::info, "bytes", {{"key", all}}});
  CHECK(line.find('\n') == line.size() - 1);
  const std::string value = nlohmann::json::parse(line)["key"];
  CHECK(value.substr(0, 128) == all.substr(0, 128));
  CHECK(value.size() == 128 + 128 * 3);
}

TEST_CASE("well-formed UTF-8 passes, and what is not is replaced byte by byte") {
  const auto through = [](const std::string& text) {
    return nlohmann::json::parse(line_of({TraceLevel::info, "m", {{"v", text}}}))["v"].get<std::string>();
  };
  for (const char* good : {"\u00e9", "\u20ac", "\U0001f642", "\xed\x9f\xbf", "\ue000", "\U0010ffff"})
    CHECK(through(good) == good);
  const std::string mark = "\ufffd";
  CHECK(through("a\xc3") == "a" + mark);
  CHECK(through("\xc0\xaf") == mark + mark);
  CHECK(through("\xe0\x80\x80") == mark + mark + mark);
  CHECK(through("\xed\xa0\x80") == mark + mark + mark);
  CHECK(through("\xf4\x90\x80\x80") == mark + mark + mark + mark);
  CHECK(through("\xe2\x82z") == mark + mark + "z");
}

TEST_CASE("times are right over leap years and centuries") {
  const auto ts = [](std::int64_t seconds) {
    const std::string line = line_of({TraceLevel::info, "m", {}}, WallTime{seconds * 1'000'000'000});
    return nlohmann::json::parse(line)["ts"].get<std::string>();
  };
  CHECK(ts(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(ts(951'782'400) == "2000-02-29T00:00:00.000000Z");
  CHECK(ts(1'709'251'199) == "2024-02-29T23:59:59.000000Z");
  CHECK(ts(4'107'542'400) == "2100-03-01T00:00:00.000000Z");
}

struct StoppedClock final : port::Loop {
  Instant now() const override { return {}; }
  WallTime wall_now() const override { return moment; }
  std::array<std::uint64_t, 2> entropy() override { return {}; }
  void run_soon(port::Task&) override {}
  void run_at(port::Task&, Instant) override {}
  void cancel(port::Task&) override {}
};

TEST_CASE("the sink writes whole lines of its level and above") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  StoppedClock clock;
  LogPosix sink(clock, TraceLevel::warn, ends[1]);
  sink.trace({{TraceLevel::info, "quiet", {}}, {TraceLevel::warn, "loud", {}}, {TraceLevel::error, "louder", {}}});
  sink.trace({{TraceLevel::debug, "quiet", {}}});
  close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t size = read(ends[0], text.data(), text.size());
  REQUIRE(size > 0);
  text.resize(static_cast<std::size_t>(size));
  close(ends[0]);
  CHECK(text.find("quiet") == std::string::npos);
  const std::size_t first_end = text.find('\n');
  CHECK(nlohmann::json::parse(text.substr(0, first_end))["msg"] == "loud");
  CHECK(nlohmann::json::parse(text.substr(first_end))["msg"] == "louder");
}

TEST_CASE("ids are printed as etcd prints them") {
  CHECK(hexadecimal(0) == "0");
  CHECK(hexadecimal(0x0123456789abcdef) == "123456789abcdef");
}

}  // namespace
}  // namespace metastore::server

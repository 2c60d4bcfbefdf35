#include "server/metrics_page.h"

#include <doctest/doctest.h>

#include <array>

namespace metastore::server {
namespace {

constexpr std::array<std::uint64_t, 3> bounds = doubling_from<3>(1'000'000);

TEST_CASE("each family has its help and type once, and its samples behind them") {
  MetricsPage page;
  page.counter("puts_total", "Puts.").sample(7u);
  page.gauge("oldest", "The oldest revision.").sample(-1);
  page.counter("calls_total", "Calls.").sample(1, {{"method", "Put"}, {"code", "OK"}}).sample(2, {{"method", "Txn"}});
  CHECK(page.take() ==
        "# HELP puts_total Puts.\n"
        "# TYPE puts_total counter\n"
        "puts_total 7\n"
        "# HELP oldest The oldest revision.\n"
        "# TYPE oldest gauge\n"
        "oldest -1\n"
        "# HELP calls_total Calls.\n"
        "# TYPE calls_total counter\n"
        "calls_total{method=\"Put\",code=\"OK\"} 1\n"
        "calls_total{method=\"Txn\"} 2\n");
}

TEST_CASE("the buckets of a histogram add up, and a value at a bound lies within it") {
  Histogram<bounds> histogram;
  for (const std::uint64_t value : {0, 1'000'000, 1'000'001, 4'000'000, 4'000'001, 5'000'000}) histogram.record(value);
  MetricsPage page;
  page.histogram("took_seconds", "Time.").sample(histogram.view(), MetricUnit::nanoseconds, {{"of", "it"}});
  CHECK(page.take() ==
        "# HELP took_seconds Time.\n"
        "# TYPE took_seconds histogram\n"
        "took_seconds_bucket{of=\"it\",le=\"0.001\"} 2\n"
        "took_seconds_bucket{of=\"it\",le=\"0.002\"} 3\n"
        "took_seconds_bucket{of=\"it\",le=\"0.004\"} 4\n"
        "took_seconds_bucket{of=\"it\",le=\"+Inf\"} 6\n"
        "took_seconds_sum{of=\"it\"} 0.015000002\n"
        "took_seconds_count{of=\"it\"} 6\n");
  MetricsPage plain;
  plain.histogram("sizes", "Sizes.").sample(histogram.view(), MetricUnit::plain);
  CHECK(plain.take().find("sizes_bucket{le=\"1000000\"} 2\n") != std::string::npos);
}

TEST_CASE("durations are seconds to the last nanosecond") {
  const auto written = [](auto value) {
    MetricsPage page;
    page.gauge("a", "b").sample(value);
    const std::string text = page.take();
    return text.substr(text.rfind(' ') + 1);
  };
  CHECK(written(Duration()) == "0\n");
  CHECK(written(Duration::nanoseconds(1)) == "0.000000001\n");
  CHECK(written(Duration::milliseconds(1'500)) == "1.5\n");
  CHECK(written(Duration::seconds(100)) == "100\n");
  CHECK(written(WallTime{1'700'000'000'000'000'020}) == "1700000000.00000002\n");
  CHECK(written(~std::uint64_t{0}) == "18446744073709551615\n");
}

TEST_CASE("whatever a label holds, it stays one line between its quotes") {
  MetricsPage page;
  page.gauge("a", "b").sample(1, {{"version", "3\\5\"\n"}});
  const std::string text = page.take();
  CHECK(text.substr(text.rfind("a{")) == "a{version=\"3\\\\5\\\"\\n\"} 1\n");
}

}  // namespace
}  // namespace metastore::server

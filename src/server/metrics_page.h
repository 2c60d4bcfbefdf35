// A page of metrics in Prometheus's text format, version 0.0.4: families, each with its help and type, and under each
// its samples. It knows the format and no metric; all numbers are integers, and durations are written as seconds
// without rounding.
// Source: prometheus.io/docs/instrumenting/exposition_formats.
#ifndef METASTORE_SERVER_METRICS_PAGE_H_
#define METASTORE_SERVER_METRICS_PAGE_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/histogram.h"
#include "core/base/time.h"

namespace metastore::server {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

/// What the integers of a histogram are.
enum class MetricUnit : std::uint8_t { plain, nanoseconds };

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class MetricsPage {
 public:
  /// The samples that follow are this family's. `name` is a literal, since each of them repeats it.
  MetricsPage& family(std::string_view name, MetricType type, std::string_view help);
  MetricsPage& counter(std::string_view name, std::string_view help) { return family(name, MetricType::counter, help); }
  MetricsPage& gauge(std::string_view name, std::string_view help) { return family(name, MetricType::gauge, help); }
  MetricsPage& histogram(std::string_view name, std::string_view help) {
    return family(name, MetricType::histogram, help);
  }

  MetricsPage& sample(std::integral auto value, MetricLabels labels = {}) {
    return sample({}, labels, {}, std::to_string(value));
  }
  /// In seconds.
  MetricsPage& sample(Duration value, MetricLabels labels = {}) { return sample({}, labels, {}, seconds(value)); }
  /// In seconds since 1970.
  MetricsPage& sample(WallTime value, MetricLabels labels = {}) {
    return sample(Duration::nanoseconds(value.unix_nanoseconds), labels);
  }
  MetricsPage& sample(const HistogramView& value, MetricUnit unit, MetricLabels labels = {});

  std::string take() { return std::move(text_); }

 private:
  static std::string seconds(Duration duration);
  MetricsPage& sample(std::string_view suffix, MetricLabels labels, std::string_view bound, std::string_view value);
  void label(std::string_view name, std::string_view value, bool& is_first);

  std::string text_;
  std::string_view name_;
};

}  // namespace metastore::server

#endif  // METASTORE_SERVER_METRICS_PAGE_H_

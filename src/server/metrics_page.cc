#include "server/metrics_page.h"

namespace metastore::server {
namespace {

constexpr std::string_view type_names[] = {"counter", "gauge", "histogram"};
constexpr std::int64_t second = 1'000'000'000;

}  // namespace

MetricsPage& MetricsPage::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(type_names[static_cast<std::size_t>(type)]).append("\n");
  return *this;
}

MetricsPage& MetricsPage::sample(const HistogramView& value, MetricUnit unit, MetricLabels labels) {
  const auto written = [&](std::uint64_t number) {
    if (unit == MetricUnit::plain) return std::to_string(number);
    return seconds(Duration::nanoseconds(static_cast<std::int64_t>(number)));
  };
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < value.bounds.size(); ++i) {
    count += value.counts[i];
    sample("_bucket", labels, written(value.bounds[i]), std::to_string(count));
  }
  count += value.counts.back();
  sample("_bucket", labels, "+Inf", std::to_string(count));
  sample("_sum", labels, {}, written(value.sum));
  return sample("_count", labels, {}, std::to_string(count));
}

MetricsPage& MetricsPage::sample(std::string_view suffix, MetricLabels labels, std::string_view bound,
                                 std::string_view value) {
  text_.append(name_).append(suffix);
  bool is_first = true;
  for (const auto& [name, text] : labels) label(name, text, is_first);
  if (!bound.empty()) label("le", bound, is_first);
  if (!is_first) text_ += '}';
  text_.append(" ").append(value).append("\n");
  return *this;
}

void MetricsPage::label(std::string_view name, std::string_view value, bool& is_first) {
  text_ += is_first ? '{' : ',';
  is_first = false;
  text_.append(name).append("=\"");
  for (const char c : value) {
    if (c == '\\' || c == '"') text_ += '\\';
    if (c == '\n') {
      text_ += "\\n";
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

std::string MetricsPage::seconds(Duration duration) {
  const std::int64_t nanoseconds = duration.nanoseconds();
  std::string text = std::to_string(nanoseconds / second);
  std::string fraction = std::to_string(second + nanoseconds % second).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (!fraction.empty()) text.append(".").append(fraction);
  return text;
}

}  // namespace metastore::server

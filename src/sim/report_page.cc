#include "sim/report_page.h"

#include <algorithm>
#include <map>
#include <vector>

#include "sim/report_script.h"

namespace metastore::sim {
namespace {

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += {'\\', letter};
    } else if (byte < ' ' || byte > '~' || letter == '<') {
      // "<" too, so that no text can end the script that holds it; bytes that are no ASCII stand for themselves.
      constexpr std::string_view digits = "0123456789abcdef";
      out += std::string("\\u00") + digits[byte >> 4] + digits[byte & 15];
    } else {
      out += letter;
    }
  }
  return out + "\"";
}

std::string json_state(const MemberState& state) {
  return "[" + std::string(state.is_up ? "1" : "0") + "," + json_text(state.role) + "," + std::to_string(state.term) +
         "," + std::to_string(state.leader) + "," + std::to_string(state.commit) + "," + std::to_string(state.applied) +
         "," + std::to_string(state.revision) + "]";
}

/// Members first, then the network, the clients and whoever listens, each in the order of their numbers.
struct LaneOrder {
  static std::pair<int, std::uint64_t> rank(std::string_view lane) {
    constexpr std::string_view kinds[] = {"member", "network", "surveyor", "client", "watcher", "keeper"};
    const std::size_t space = lane.find(' ');
    const auto kind = std::find(std::begin(kinds), std::end(kinds), lane.substr(0, space));
    std::uint64_t number = 0;
    for (const char digit : lane.substr(space == std::string_view::npos ? lane.size() : space + 1)) {
      number = number * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    return {static_cast<int>(kind - std::begin(kinds)), number};
  }
  bool operator()(const std::string& a, const std::string& b) const { return rank(a) < rank(b); }
};

/// What the page's script reads.
class Data {
 public:
  explicit Data(const Chronicle& chronicle)
      : chronicle_(chronicle),
        first_(chronicle.moments().size() - std::min(chronicle.moments().size(), report_moments_max)) {
    for (const Happening& happening : chronicle.happenings()) lanes_.emplace(happening.lane, 0);
    for (const Arrow& arrow : chronicle.arrows()) {
      lanes_.emplace(arrow.from, 0);
      lanes_.emplace(arrow.to, 0);
    }
    std::size_t number = 0;
    for (auto& [lane, place] : lanes_) place = number++;
  }

  std::string json() const {
    std::string out = "{\"skipped\":" + std::to_string(first_) + ",\n\"lanes\":[";
    for (const auto& [lane, number] : lanes_) out += (number > 0 ? "," : "") + json_text(lane);
    out += "],\n\"moments\":[";
    for (std::size_t i = first_; i < chronicle_.moments().size(); ++i) {
      const Chronicle::Moment& moment = chronicle_.moments()[i];
      out += (i > first_ ? ",\n[" : "\n[") + std::to_string(moment.at.nanoseconds()) + "," +
             std::to_string(moment.event) + "]";
    }
    return out + "],\n" + happenings() + arrows() + "}";
  }

 private:
  std::string lane(const std::string& name) const { return std::to_string(lanes_.at(name)); }

  /// The states from before the first moment come first, as what they were then.
  std::string happenings() const {
    std::map<std::string, const MemberState*> before;
    std::string rest;
    for (const Happening& happening : chronicle_.happenings()) {
      if (happening.moment < first_) {
        if (happening.state) before[happening.lane] = &*happening.state;
        continue;
      }
      rest += (rest.empty() ? "\n[" : ",\n[") + std::to_string(happening.moment - first_) + "," + lane(happening.lane) +
              "," + std::to_string(static_cast<int>(happening.kind)) + "," + json_text(happening.text);
      rest += happening.state ? "," + json_state(*happening.state) + "]" : "]";
    }
    std::string out = "\"before\":{";
    for (const auto& [name, state] : before) {
      out += (out.ends_with("{") ? "\"" : ",\"") + lane(name) + "\":" + json_state(*state);
    }
    return out + "},\n\"happenings\":[" + rest + "],\n";
  }

  std::string arrows() const {
    std::string out;
    for (const Arrow& arrow : chronicle_.arrows()) {
      if (arrow.from_moment < first_) continue;
      out += (out.empty() ? "\n[" : ",\n[") + std::to_string(arrow.from_moment - first_) + "," +
             (arrow.to_moment ? std::to_string(*arrow.to_moment - first_) : "-1") + "," + lane(arrow.from) + "," +
             lane(arrow.to) + "," + json_text(arrow.text) + "]";
    }
    return "\"arrows\":[" + out + "]";
  }

  const Chronicle& chronicle_;
  std::size_t first_;
  std::map<std::string, std::size_t, LaneOrder> lanes_;
};

}  // namespace

std::string report_page(const Chronicle& chronicle, std::string_view title, std::string_view verdict,
                        std::string_view plan) {
  std::string page(report_head);
  page += "<script>const run = {\"title\":" + json_text(title) + ",\"verdict\":" + json_text(verdict) +
          ",\"plan\":" + json_text(plan) + "};\nconst data = " + Data(chronicle).json() + ";\n</script>\n";
  page += report_model;
  page += report_view;
  return page;
}

}  // namespace metastore::sim

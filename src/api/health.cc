#include "api/health.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/grpc.h"
#include "core/base/assert.h"

namespace metastore::api {
namespace {

constexpr std::string_view json = "application/json";

bool contains(const std::vector<std::string_view>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::vector<std::string_view> parameters(std::string_view target, std::string_view name) {
  std::vector<std::string_view> values;
  std::string_view query = target.substr(path_of(target).size());
  while (!query.empty()) {
    query.remove_prefix(1);
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(pair.size());
    if (pair.substr(0, pair.find('=')) != name) continue;
    pair.remove_prefix(std::min(pair.size(), name.size() + 1));
    values.push_back(pair);
  }
  return values;
}

std::string_view Checkup::name(Check check) {
  switch (check) {
    case Check::data_corruption:
      return "data_corruption";
    case Check::serializable_read:
      return "serializable_read";
    case Check::linearizable_read:
      return "linearizable_read";
    case Check::non_learner:
      return "non_learner";
  }
  UNREACHABLE();
}

std::optional<Checkup> Checkup::begin(std::string_view target, const port::MemberFacts& facts) {
  const std::string_view path = path_of(target);
  const std::vector<std::string_view> excluded = parameters(target, "exclude");
  const std::vector<std::string> alarms = facts.alarms();
  Checkup checkup;
  if (path == "/health") {
    checkup.page_ = "health";
    checkup.lists_checks_ = false;
    const bool serializable = contains(parameters(target, "serializable"), "true");
    const auto alarm = std::find_if(alarms.begin(), alarms.end(),
                                    [&](const std::string& raised) { return !contains(excluded, raised); });
    if (alarm != alarms.end()) {
      checkup.reason_ = "ALARM " + *alarm;
    } else if (!serializable && !facts.has_leader()) {
      checkup.reason_ = "RAFT NO LEADER";
    } else {
      checkup.findings_.push_back({serializable ? Check::serializable_read : Check::linearizable_read, {}});
    }
    return checkup;
  }
  const bool live = path.starts_with("/livez");
  if (!live && !path.starts_with("/readyz")) return std::nullopt;
  static constexpr Check of_livez[] = {Check::serializable_read};
  static constexpr Check of_readyz[] = {Check::data_corruption, Check::serializable_read, Check::linearizable_read,
                                        Check::non_learner};
  const std::string_view page = live ? "/livez" : "/readyz";
  checkup.page_ = page.substr(1);
  const Check* const first = live ? std::begin(of_livez) : std::begin(of_readyz);
  const Check* const last = live ? std::end(of_livez) : std::end(of_readyz);
  for (const Check* check = first; check != last; ++check) {
    const bool alone = path == std::string(page) + "/" + std::string(name(*check));
    if (alone || (path == page && !contains(excluded, name(*check)))) checkup.findings_.push_back({*check, {}});
  }
  if (path != page && checkup.findings_.empty()) return std::nullopt;
  checkup.verbose_ = !parameters(target, "verbose").empty();
  for (Finding& finding : checkup.findings_) {
    if (finding.check == Check::data_corruption && std::find(alarms.begin(), alarms.end(), "CORRUPT") != alarms.end()) {
      finding.failure = "alarm activated: CORRUPT";
    }
    if (finding.check == Check::non_learner && facts.is_learner()) finding.failure = "not supported for learner";
  }
  return checkup;
}

std::optional<Bytes> Checkup::next_probe() {
  while (next_ < findings_.size() && !probes(findings_[next_].check)) ++next_;
  if (next_ == findings_.size()) return std::nullopt;
  // RangeRequest: key=1 bytes "health", serializable=7 bool.
  constexpr std::string_view linearizable_probe = "\x0a\x06health";
  constexpr std::string_view serializable_probe = "\x0a\x06health\x38\x01";
  return Bytes::copy_of(findings_[next_].check == Check::serializable_read ? serializable_probe : linearizable_probe);
}

void Checkup::on_answer(std::optional<std::string_view> error) {
  if (error.has_value()) {
    findings_[next_].failure = *error;
    if (!lists_checks_) reason_ = "RANGE ERROR:" + std::string(*error);
  }
  ++next_;
}

HttpResponse Checkup::response() const {
  if (!lists_checks_) {
    const bool healthy = reason_.empty();
    return {healthy ? 200 : 503, json,
            std::string(R"({"health":")") + (healthy ? "true" : "false") + R"(","reason":)" + quoted(reason_) + "}"};
  }
  const bool passed =
      std::all_of(findings_.begin(), findings_.end(), [](const Finding& finding) { return finding.failure.empty(); });
  std::string lines;
  for (const Finding& finding : findings_) {
    lines += finding.failure.empty() ? "[+]" + std::string(name(finding.check)) + " ok\n"
                                     : "[-]" + std::string(name(finding.check)) + " failed: " + finding.failure + "\n";
  }
  if (!passed) return {503, plain_text, lines};
  return {200, plain_text, (verbose_ ? lines : "") + "ok\n"};
}

void Checkup::count(HealthCounts& counts) const {
  const auto note = [](HealthCounts::Outcomes& outcomes, bool succeeded) {
    ++(succeeded ? outcomes.successes : outcomes.errors);
    outcomes.last = succeeded;
  };
  if (!lists_checks_) return note(counts.health, reason_.empty());
  for (const Finding& finding : findings_) note(counts.checks[{page_, name(finding.check)}], finding.failure.empty());
}

HttpResponse metrics_response(std::string text) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", std::move(text)};
}

HttpResponse version_response(const port::Versions& versions) {
  const auto or_else = [](const std::string& version, std::string_view none) {
    return quoted(version.empty() ? none : std::string_view(version));
  };
  return {200, json,
          R"({"etcdserver":)" + quoted(versions.server) + R"(,"etcdcluster":)" +
              or_else(versions.cluster, "not_decided") + R"(,"storage":)" + or_else(versions.storage, "unknown") + "}"};
}

HttpResponse not_found() { return {404, plain_text, "404 page not found\n"}; }

HttpResponse method_not_allowed() { return {405, plain_text, "Method Not Allowed\n", "GET"}; }

}  // namespace metastore::api

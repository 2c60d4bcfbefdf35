#include "api/health.h"

#include <doctest/doctest.h>

#include "api/testing/ports.h"

namespace metastore::api {
namespace {

using testing::HandFacts;

/// What the page says if every probe of the replica ends with `error`, or well without one; and which were made.
struct Visit {
  HttpResponse page;
  std::string probes;  ///< "l": linearizable, "s": serializable.
};

Visit visit(std::string_view target, const HandFacts& facts = {}, std::optional<std::string_view> error = {}) {
  auto checkup = Checkup::begin(target, facts);
  REQUIRE(checkup.has_value());
  Visit visit;
  while (const auto probe = checkup->next_probe()) {
    const bool serializable = probe->view() == "\x0a\x06health\x38\x01";
    if (!serializable) CHECK(probe->view() == "\x0a\x06health");
    visit.probes += serializable ? 's' : 'l';
    checkup->on_answer(error);
  }
  visit.page = checkup->response();
  return visit;
}

HandFacts with_alarm(std::string alarm) {
  HandFacts facts;
  facts.raised = {std::move(alarm)};
  return facts;
}

TEST_CASE("/health tells the first reason that it finds, as etcd's JSON") {
  CHECK(visit("/health").page.status == 200);
  CHECK(visit("/health").page.body == R"({"health":"true","reason":""})");
  CHECK(visit("/health").probes == "l");
  CHECK(visit("/health?serializable=true").probes == "s");

  const Visit failed = visit("/health", {}, "etcdserver: request timed out");
  CHECK(failed.page.status == 503);
  CHECK(failed.page.body == R"({"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"})");

  HandFacts alone;
  alone.leader = false;
  CHECK(visit("/health", alone).page.body == R"({"health":"false","reason":"RAFT NO LEADER"})");
  CHECK(visit("/health", alone).probes.empty());
  CHECK(visit("/health?serializable=true", alone).page.status == 200);

  CHECK(visit("/health", with_alarm("NOSPACE")).page.body == R"({"health":"false","reason":"ALARM NOSPACE"})");
  CHECK(visit("/health?exclude=NOSPACE", with_alarm("NOSPACE")).page.status == 200);
  CHECK(visit("/health?exclude=NOSPACE", with_alarm("CORRUPT")).page.status == 503);
  CHECK(visit("/health?exclude=NOSPACE&exclude=CORRUPT", with_alarm("CORRUPT")).page.status == 200);
}

TEST_CASE("/livez reads this member's own state alone") {
  HandFacts facts = with_alarm("CORRUPT");
  facts.leader = false;
  CHECK(visit("/livez", facts).page == HttpResponse{200, "text/plain; charset=utf-8", "ok\n"});
  CHECK(visit("/livez", facts).probes == "s");
  CHECK(visit("/livez?verbose").page.body == "[+]serializable_read ok\nok\n");
  CHECK(visit("/livez/serializable_read").page.body == "ok\n");
  CHECK(visit("/livez?exclude=serializable_read").probes.empty());
  const Visit failed = visit("/livez", {}, "etcdserver: server stopped");
  CHECK(failed.page.status == 503);
  CHECK(failed.page.body == "[-]serializable_read failed: etcdserver: server stopped\n");
}

TEST_CASE("/readyz makes every check, or the one that its path names") {
  CHECK(visit("/readyz").page.body == "ok\n");
  CHECK(visit("/readyz").probes == "sl");
  CHECK(visit("/readyz?verbose=").page.body ==
        "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n");
  CHECK(visit("/readyz?exclude=linearizable_read&exclude=nonsense").probes == "s");
  CHECK(visit("/readyz/linearizable_read").probes == "l");

  CHECK(visit("/readyz/data_corruption", with_alarm("NOSPACE")).page.status == 200);
  const HttpResponse corrupt = visit("/readyz", with_alarm("CORRUPT")).page;
  CHECK(corrupt.status == 503);
  CHECK(corrupt.body.starts_with("[-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n"));
  HandFacts learner;
  learner.learner = true;
  CHECK(visit("/readyz/non_learner", learner).page.body == "[-]non_learner failed: not supported for learner\n");
}

TEST_CASE("other paths are no pages of health") {
  for (const std::string_view target :
       {"/", "/healthy", "/livezz", "/livez/", "/livez/linearizable_read", "/readyz/x"}) {
    CHECK(!Checkup::begin(target, HandFacts{}).has_value());
  }
}

TEST_CASE("a parameter of a query is found only as a whole") {
  using Values = std::vector<std::string_view>;
  CHECK(parameters("/health?serializable=true", "serializable") == Values{"true"});
  CHECK(parameters("/health?a=b&serializable=true&c&serializable", "serializable") == Values{"true", ""});
  CHECK(parameters("/health?xserializable=true", "serializable").empty());
  CHECK(parameters("/health?serializablex=true", "serializable").empty());
  CHECK(parameters("/serializable=true", "serializable").empty());
  CHECK(parameters("/health?", "serializable").empty());
  CHECK(path_of("/health?x=/y") == "/health");
}

TEST_CASE("the version is etcd's JSON") {
  CHECK(version_response({"3.7.1", "3.7.0", "3.7.0"}).body ==
        R"({"etcdserver":"3.7.1","etcdcluster":"3.7.0","storage":"3.7.0"})");
  CHECK(version_response({"3.7.1", "", ""}).body ==
        R"({"etcdserver":"3.7.1","etcdcluster":"not_decided","storage":"unknown"})");
}

}  // namespace
}  // namespace metastore::api

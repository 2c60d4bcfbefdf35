#include "server/flags.h"

#include <doctest/doctest.h>

#include <initializer_list>

#include "core/replica/config.h"
#include "server/configuration.h"

namespace metastore::server {
namespace {

using Words = std::vector<std::string_view>;

Result<Flags, Exit> parse(const Words& arguments, const Words& environment = {}) {
  return parse_flags(arguments, environment);
}

Flags parsed(const Words& arguments, const Words& environment = {}) {
  const Result<Flags, Exit> flags = parse(arguments, environment);
  REQUIRE_MESSAGE(flags.ok(), flags.error().to_stderr);
  return flags.value();
}

/// The first line on standard error.
std::string complaint(const Exit& exit) { return exit.to_stderr.substr(0, exit.to_stderr.find('\n')); }

TEST_CASE("flags are written as Go's are, and the last repetition counts") {
  CHECK(parsed({}).name == "default");
  CHECK(parsed({"-name", "a"}).name == "a");
  CHECK(parsed({"--name", "a"}).name == "a");
  CHECK(parsed({"-name=a"}).name == "a");
  CHECK(parsed({"--name=a=b"}).name == "a=b");
  CHECK(parsed({"--name="}).name.empty());
  CHECK(parsed({"--name", "--version"}).name == "--version");
  CHECK(parsed({"--name=a", "-name", "b"}).name == "b");
  CHECK(parsed({"--pre-vote"}).pre_vote);
  CHECK_FALSE(parsed({"--pre-vote=false"}).pre_vote);
  CHECK_FALSE(parsed({"--pre-vote=F"}).pre_vote);
  CHECK(parsed({"--pre-vote=0", "--pre-vote=1"}).pre_vote);
  CHECK(parsed({"--heartbeat-interval", "0x10"}).heartbeat_interval == 16);
  CHECK(parsed({"--heartbeat-interval", "017"}).heartbeat_interval == 15);
  CHECK(parsed({"--heartbeat-interval", "0b11"}).heartbeat_interval == 3);
  CHECK(parsed({"--name=a", "--"}).name == "a");
}

TEST_CASE("durations are written as Go's are") {
  const auto duration = [](std::string_view text) {
    return parsed({"--grpc-keepalive-interval", text}).grpc_keepalive_interval;
  };
  CHECK(duration("100ms") == Duration::milliseconds(100));
  CHECK(duration("1h15m30.918s") == Duration::milliseconds(4'530'918));
  CHECK(duration("0") == Duration());
  CHECK(duration("1.5h") == Duration::seconds(5'400));
  CHECK(duration(".5s") == Duration::milliseconds(500));
  CHECK(duration("5.s") == Duration::seconds(5));
  CHECK(duration("-2s") == Duration::seconds(-2));
  CHECK(duration("+7us") == Duration::microseconds(7));
  CHECK(duration("7\u00b5s") == Duration::microseconds(7));
  CHECK(duration("3ns") == Duration::nanoseconds(3));
  for (const std::string_view wrong : {"", "1", "s", ".s", "-", "1x", "1h 2m", "--1s", "1s-2s", "9999999999h", "."}) {
    CAPTURE(wrong);
    const Result<Flags, Exit> flags = parse({"--grpc-keepalive-interval", wrong});
    REQUIRE_FALSE(flags.ok());
    CHECK(flags.error().status == 2);
  }
}

TEST_CASE("a flag that is unknown or ill-typed ends with usage on standard error and status 2") {
  struct Row {
    Words arguments;
    std::string_view expected;
  };
  const std::vector<Row> rows = {
      {{"--nope"}, "flag provided but not defined: -nope"},
      {{"-nope=1", "--name=a"}, "flag provided but not defined: -nope"},
      {{"--experimental-anything=true"}, "flag provided but not defined: -experimental-anything"},
      {{"--name"}, "flag needs an argument: -name"},
      {{"---name"}, "bad flag syntax: ---name"},
      {{"--=a"}, "bad flag syntax: --=a"},
      {{"--heartbeat-interval=x"}, "invalid value \"x\" for flag -heartbeat-interval: parse error"},
      {{"--heartbeat-interval="}, "invalid value \"\" for flag -heartbeat-interval: parse error"},
      {{"--heartbeat-interval=-1"}, "invalid value \"-1\" for flag -heartbeat-interval: parse error"},
      {{"--heartbeat-interval=1s"}, "invalid value \"1s\" for flag -heartbeat-interval: parse error"},
      {{"--heartbeat-interval=0x"}, "invalid value \"0x\" for flag -heartbeat-interval: parse error"},
      {{"--heartbeat-interval=99999999999999999999"},
       "invalid value \"99999999999999999999\" for flag -heartbeat-interval: value out of range"},
      {{"--pre-vote=yes"}, "invalid boolean value \"yes\" for -pre-vote: parse error"},
      {{"--grpc-keepalive-timeout=1"}, "invalid value \"1\" for flag -grpc-keepalive-timeout: parse error"},
  };
  for (const Row& row : rows) {
    const Result<Flags, Exit> flags = parse(row.arguments);
    REQUIRE_FALSE(flags.ok());
    CHECK(complaint(flags.error()) == row.expected);
    CHECK(flags.error().status == 2);
    CHECK(flags.error().to_stderr.find("Usage:\n") != std::string::npos);
    CHECK(flags.error().to_stdout.empty());
  }
}

TEST_CASE("what is left over after the flags is an error of configuration") {
  for (const Words& arguments :
       {Words{"foo"}, Words{"--name=a", "foo", "--nope"}, Words{"--pre-vote", "foo"}, Words{"--", "foo"}}) {
    const Result<Flags, Exit> flags = parse(arguments);
    REQUIRE_FALSE(flags.ok());
    CHECK(flags.error().status == 1);
    CHECK(complaint(flags.error()) == "error verifying flags, 'foo' is not a valid flag. See 'metastore --help'.");
  }
  CHECK(complaint(parse({"-"}).error()) == "error verifying flags, '-' is not a valid flag. See 'metastore --help'.");
}

TEST_CASE("the environment sets what the command line does not") {
  const Words environment = {"ETCD_NAME=env",          "ETCD_HEARTBEAT_INTERVAL=7", "HOME=/root",
                             "ETCD_PRE_VOTE=false",    "ETCD_LOG_LEVEL=",           "ETCD_VERSION=true",
                             "ETCD_UNSUPPORTED_ARCH=x"};
  const Flags flags = parsed({"--name=line"}, environment);
  CHECK(flags.name == "line");
  CHECK(flags.heartbeat_interval == 7);
  CHECK_FALSE(flags.pre_vote);
  CHECK(flags.log_level == "info");
  CHECK(flags.given == std::set<std::string_view>{"name", "heartbeat-interval", "pre-vote"});
  REQUIRE(flags.warnings.size() == 1);
  CHECK(flags.warnings[0] == "ETCD_NAME is shadowed by the command line's --name");
  CHECK(parsed({}, {"ETCD_NOPE=1"}).warnings ==
        std::vector<std::string>{"unrecognized environment variable ETCD_NOPE"});

  const Result<Flags, Exit> wrong = parse({}, {"ETCD_ELECTION_TIMEOUT=soon"});
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.error().status == 1);
  CHECK(
      complaint(wrong.error()) ==
      "error verifying flags, invalid value \"soon\" for ETCD_ELECTION_TIMEOUT: parse error. See 'metastore --help'.");
}

TEST_CASE("help, version and limits are printed on standard output with status 0") {
  for (const std::string_view flag : {"-h", "--h", "-help", "--help", "--version", "--help-limits"}) {
    const Result<Flags, Exit> flags = parse({"--name=a", flag});
    REQUIRE_FALSE(flags.ok());
    CHECK(flags.error().status == 0);
    CHECK(flags.error().to_stderr.empty());
    CHECK_FALSE(flags.error().to_stdout.empty());
  }
  const std::string help = parse({"--help"}).error().to_stdout;
#define METASTORE_FLAG_IN_HELP(type, field, flag, initial, text) \
  CHECK(help.find("  --" flag " '" initial "'\n    " text "\n") != std::string::npos);
  METASTORE_FLAGS(METASTORE_FLAG_IN_HELP)
#undef METASTORE_FLAG_IN_HELP
  const std::string version = parse({"--version"}).error().to_stdout;
  CHECK(version.starts_with("metastore Version: "));
  CHECK(version.find("\netcd Version: 3.7.1\n") != std::string::npos);
  CHECK(version.find("\nGit SHA: ") != std::string::npos);
  CHECK(version.find("\nCompiler: ") != std::string::npos);
  CHECK(parse({"--help-limits"}).error().to_stdout.find("txn_ops_max = 128 operations: ") != std::string::npos);
}

TEST_CASE("a configuration is complete when no flag is given") {
  const Result<Configuration, Exit> configured = configure(parsed({}));
  REQUIRE(configured.ok());
  const Configuration& configuration = configured.value();
  CHECK(configuration.data_dir == "default.metastore");
  CHECK(configuration.listen_client_urls == std::vector<Url>{{"http", "localhost", 2379}});
  CHECK(configuration.advertise_client_urls == std::vector<std::string>{"http://localhost:2379"});
  CHECK(configuration.advertise_peer_urls == std::vector<std::string>{"http://localhost:2380"});
  CHECK(configuration.cluster_token == "etcd-cluster");
  CHECK(configuration.election_timeout == Duration::seconds(1));
  CHECK(configuration.limits == Limits());
  CHECK(configuration.watch_progress_interval == Config().watch_progress_interval);
  CHECK(configuration.checkpoint_interval == Config().checkpoint_interval);
  CHECK_FALSE(configuration.has_extensive_metrics);
  CHECK(configuration.quota_bytes == 2'147'483'648);
}

TEST_CASE("flags shape the configuration") {
  const Configuration configuration =
      configure(parsed({"--name=m1", "--listen-client-urls=http://127.0.0.1:1,http://[::1]:2",
                        "--advertise-client-urls=http://db.example:1", "--max-txn-ops=7", "--max-request-bytes=100",
                        "--initial-advertise-peer-urls=http://b:1,http://a:1", "--log-level=debug",
                        "--initial-cluster=m1=http://a:1,m1=http://b:1", "--snapshot-catchup-entries=3",
                        "--max-concurrent-streams=9", "--heartbeat-interval=20", "--election-timeout=100"}))
          .value();
  CHECK(configuration.data_dir == "m1.metastore");
  CHECK(configuration.listen_client_urls == std::vector<Url>{{"http", "127.0.0.1", 1}, {"http", "::1", 2}});
  CHECK(configuration.advertise_peer_urls == std::vector<std::string>{"http://a:1", "http://b:1"});
  CHECK(configuration.limits.txn_ops_max == 7);
  CHECK(configuration.limits.request_bytes_max == 100);
  CHECK(configuration.limits.connection_streams_max == 9);
  CHECK(configuration.limits.log_entries_kept == 3);
  CHECK(configuration.log_level == TraceLevel::debug);
  CHECK(configure(parsed({"--data-dir=/x"})).value().data_dir == "/x");
  const Limits limits =
      configure(parsed({"--limits=wal_segment_bytes=4096,txn_ops_max=9", "--max-txn-ops=7"})).value().limits;
  CHECK(limits.wal_segment_bytes == 4096);
  CHECK(limits.txn_ops_max == 9);
  const Configuration tuned =
      configure(parsed({"--snapshot-count=50", "--compaction-batch-limit=10", "--backend-batch-interval=7ms",
                        "--watch-progress-notify-interval=200ms", "--metrics=extensive",
                        "--listen-metrics-urls=http://127.0.0.1:3"}))
          .value();
  CHECK(tuned.limits.mark_entries == 50);
  CHECK(tuned.limits.compact_records_a_step == 10);
  CHECK(tuned.checkpoint_interval == Duration::milliseconds(7));
  CHECK(tuned.watch_progress_interval == Duration::milliseconds(200));
  CHECK(tuned.has_extensive_metrics);
  CHECK(tuned.listen_metrics_urls == std::vector<Url>{{"http", "127.0.0.1", 3}});
  const auto progress = [](std::string_view value) {
    return configure(parsed({"--watch-progress-notify-interval", value})).value().watch_progress_interval;
  };
  CHECK(progress("10ms") == Duration::milliseconds(100));
  CHECK(progress("0") == Duration::seconds(600));
  const auto retention = [](std::string_view mode, std::string_view value) {
    return configure(parsed({"--auto-compaction-mode", mode, "--auto-compaction-retention", value})).value().retention;
  };
  CHECK(configuration.retention == Retention());
  CHECK(retention("periodic", "2") == Retention{.period = Duration::seconds(7'200)});
  CHECK(retention("periodic", "90s") == Retention{.period = Duration::seconds(90)});
  CHECK(retention("revision", "1000") == Retention{.revisions = 1'000});
  const auto quota = [](std::string_view value) {
    return configure(parsed({"--quota-backend-bytes", value})).value().quota_bytes;
  };
  CHECK(quota("0") == 2'147'483'648);
  CHECK(quota("0x10") == 16);
  CHECK(quota("+7") == 7);
  CHECK(quota("-1") == -1);
  CHECK(quota("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  CHECK(quota("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("a bad configuration ends with status 1 and a sentence that says what to change") {
  struct Row {
    Words arguments;
    std::string_view expected;
  };
  const std::vector<Row> rows = {
      {{"--heartbeat-interval=0"}, "--heartbeat-interval must be >0 (set to 0ms)"},
      {{"--heartbeat-interval=100", "--election-timeout=499"},
       "--election-timeout[499ms] should be at least as 5 times as --heartbeat-interval[100ms]"},
      {{"--heartbeat-interval=18446744073709551615"},
       "--election-timeout[1000ms] should be at least as 5 times as --heartbeat-interval[18446744073709551615ms]"},
      {{"--election-timeout=50001"}, "--election-timeout[50001ms] is too long, and should be set less than 50000ms"},
      {{"--name="}, "--name must not be empty"},
      {{"--listen-client-urls=http://127.0.0.1:1"},
       "--advertise-client-urls is required when --listen-client-urls is set explicitly"},
      {{"--listen-client-urls=http://example.com:1", "--advertise-client-urls=http://a:1"},
       "--listen-client-urls: expected IP in URL for binding (http://example.com:1); use an IP address or localhost"},
      {{"--listen-client-urls=https://127.0.0.1:1", "--advertise-client-urls=http://a:1"},
       "--listen-client-urls: 'https://127.0.0.1:1' asks for TLS, which this build cannot serve; use http"},
      {{"--listen-peer-urls=http://example.com:1"},
       "--listen-peer-urls: expected IP in URL for binding (http://example.com:1); use an IP address or localhost"},
      {{"--listen-peer-urls=127.0.0.1:1"}, "--listen-peer-urls: '127.0.0.1:1' is no URL; write http://HOST:PORT"},
      {{"--advertise-client-urls="}, "--advertise-client-urls: '' is no URL; write http://HOST:PORT"},
      {{"--initial-cluster=default"}, "--initial-cluster: 'default' is not of the form name=url"},
      {{"--initial-cluster=default=x"}, "--initial-cluster: 'x' is no URL; write http://HOST:PORT"},
      {{"--initial-cluster=other=http://localhost:2380"},
       "couldn't find local name \"default\" in the initial cluster configuration; name this member in "
       "--initial-cluster or change --name"},
      {{"--initial-cluster=default=http://localhost:1"},
       "--initial-cluster has default=http://localhost:1 but --initial-advertise-peer-urls is http://localhost:2380; "
       "make them equal"},
      {{"--initial-cluster-state=old"}, "--initial-cluster-state must be 'new' or 'existing' (set to 'old')"},
      {{"--max-request-bytes=0"}, "--max-request-bytes must be from 1 to 536870912"},
      {{"--max-txn-ops=0"}, "--max-txn-ops must be >0"},
      {{"--limits=txn_ops_max=1,nothing=1"}, "--limits: 'nothing=1' is not name=value with a name of --help-limits"},
      {{"--limits=txn_ops_max"}, "--limits: 'txn_ops_max' is not name=value with a name of --help-limits"},
      {{"--limits=txn_ops_max=1x"}, "--limits: '1x' is not a number for txn_ops_max"},
      {{"--max-concurrent-streams=4294967296"}, "--max-concurrent-streams must be from 1 to 4294967295"},
      {{"--grpc-keepalive-timeout=-1s"}, "--grpc-keepalive-timeout must not be negative"},
      {{"--watch-progress-notify-interval=-1s"}, "--watch-progress-notify-interval must not be negative"},
      {{"--listen-metrics-urls=https://127.0.0.1:1"},
       "--listen-metrics-urls: 'https://127.0.0.1:1' asks for TLS, which this build cannot serve; use http"},
      {{"--auto-compaction-mode=daily"}, "--auto-compaction-mode must be 'periodic' or 'revision' (set to 'daily')"},
      {{"--auto-compaction-retention=soon"},
       "--auto-compaction-retention must be a number of hours, or a duration (set to 'soon')"},
      {{"--auto-compaction-retention=-1"},
       "--auto-compaction-retention must be a number of hours, or a duration (set to '-1')"},
      {{"--auto-compaction-retention=1h", "--auto-compaction-mode=revision"},
       "--auto-compaction-retention must be a number of revisions (set to '1h')"},
      {{"--snapshot-count=0"}, "--snapshot-count must be >0"},
      {{"--compaction-batch-limit=0"}, "--compaction-batch-limit must be >0"},
      {{"--metrics=all"}, "--metrics must be 'basic' or 'extensive' (set to 'all')"},
      {{"--log-format=console"}, "--log-format must be 'json' (set to 'console')"},
      {{"--logger=capnslog"}, "--logger must be 'zap' (set to 'capnslog')"},
      {{"--log-outputs=stdout"}, "--log-outputs must be 'default' or 'stderr' (set to 'stdout')"},
      {{"--log-level=loud"}, "--log-level must be debug, info, warn or error (set to 'loud')"},
  };
  for (const Row& row : rows) {
    const Result<Configuration, Exit> configuration = configure(parsed(row.arguments));
    REQUIRE_FALSE(configuration.ok());
    CHECK(configuration.error().status == 1);
    CHECK(complaint(configuration.error()) ==
          "error verifying flags, " + std::string(row.expected) + ". See 'metastore --help'.");
  }
}

}  // namespace
}  // namespace metastore::server

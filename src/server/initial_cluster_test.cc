#include "server/initial_cluster.h"

#include <doctest/doctest.h>

namespace metastore::server {
namespace {

using Words = std::vector<std::string_view>;

Result<Configuration, Exit> configured(const Words& words) { return configure(parse_flags(words, {}).value()); }

std::string complaint(const Words& words) {
  const Result<Configuration, Exit> configuration = configured(words);
  REQUIRE_FALSE(configuration.ok());
  CHECK(configuration.error().status == 1);
  return configuration.error().to_stderr;
}

TEST_CASE("a cluster of several is told by name, in any order, with any number of URLs") {
  const Configuration configuration =
      configured({"--name=b", "--initial-advertise-peer-urls=http://b:2,http://b:1",
                  "--initial-cluster=c=http://c:1,b=http://b:1,a=http://a:1,b=http://b:2"})
          .value();
  CHECK(configuration.initial_cluster ==
        std::vector<InitialMember>{{"a", {"http://a:1"}}, {"b", {"http://b:1", "http://b:2"}}, {"c", {"http://c:1"}}});
  CHECK(configuration.starts_new_cluster);
}

TEST_CASE("without --initial-cluster a member begins alone") {
  const Configuration configuration = configured({"--name=x"}).value();
  CHECK(configuration.initial_cluster == std::vector<InitialMember>{{"x", {"http://localhost:2380"}}});
  CHECK(configuration.listen_peer_urls == std::vector<Url>{{"http", "localhost", 2380}});
}

TEST_CASE("two members cannot share a peer URL") {
  CHECK(
      complaint({"--name=a", "--initial-advertise-peer-urls=http://h:1", "--initial-cluster=a=http://h:1,b=http://h:1"})
          .find("--initial-cluster has duplicate url http://h:1; each member needs a peer URL of its own") !=
      std::string::npos);
}

TEST_CASE("the short form stands for etcd's flags") {
  const Words cluster = {"--cluster=http://127.0.0.1:9021,http://127.0.0.1:9022,http://127.0.0.1:9023"};
  Words second = cluster;
  second.insert(second.end(), {"--id=2", "--port=9122", "--grpc-addr=:2379"});
  const Configuration configuration = configured(second).value();
  CHECK(configuration.name == "m2");
  CHECK(configuration.data_dir == "m2.metastore");
  CHECK(configuration.starts_new_cluster);
  CHECK(configuration.listen_peer_urls == std::vector<Url>{{"http", "127.0.0.1", 9022}});
  CHECK(configuration.advertise_peer_urls == std::vector<std::string>{"http://127.0.0.1:9022"});
  CHECK(configuration.initial_cluster == std::vector<InitialMember>{{"m1", {"http://127.0.0.1:9021"}},
                                                                    {"m2", {"http://127.0.0.1:9022"}},
                                                                    {"m3", {"http://127.0.0.1:9023"}}});
  CHECK(configuration.listen_client_urls == std::vector<Url>{{"http", "0.0.0.0", 2379}, {"http", "127.0.0.1", 9122}});
  CHECK(configuration.advertise_client_urls == std::vector<std::string>{"http://127.0.0.1:2379"});

  Words joining = cluster;
  joining.insert(joining.end(), {"--id=3", "--grpc-addr=10.0.0.1:7", "--join", "--data-dir=/x"});
  const Configuration joins = configured(joining).value();
  CHECK_FALSE(joins.starts_new_cluster);
  CHECK(joins.data_dir == "/x");
  CHECK(joins.listen_client_urls == std::vector<Url>{{"http", "10.0.0.1", 7}});
}

TEST_CASE("a mistake in the short form says which flag to change") {
  const std::pair<Words, const char*> rows[] = {
      {{"--id=1"}, "--id is of the short form; give --cluster too, or etcd's flags instead"},
      {{"--join"}, "--join is of the short form; give --cluster too, or etcd's flags instead"},
      {{"--cluster=http://h:1", "--id=2"}, "--id must be from 1 to 1, the number of URLs in --cluster (set to 2)"},
      {{"--cluster=http://h:1"}, "--id must be from 1 to 1, the number of URLs in --cluster (set to 0)"},
      {{"--cluster=h:1", "--id=1"}, "--cluster: 'h:1' is no URL; write http://HOST:PORT"},
      {{"--cluster=http://h:1", "--id=1", "--name=x"},
       "--name cannot stand beside --cluster, which says the same; leave one of them out"},
      {{"--cluster=http://127.0.0.1:1", "--id=1", "--grpc-addr=x"}, "--grpc-addr: 'x' has no port; write HOST:PORT"},
      {{"--cluster=http://127.0.0.1:1", "--id=1", "--port=65536"},
       "--port must be a number up to 65535 (set to 65536)"},
      {{"--cluster=http://127.0.0.1:1,http://127.0.0.1:1", "--id=1"},
       "--initial-cluster has duplicate url http://127.0.0.1:1; each member needs a peer URL of its own"},
  };
  for (const auto& [words, sentence] : rows) CHECK(complaint(words).find(sentence) != std::string::npos);
}

}  // namespace
}  // namespace metastore::server

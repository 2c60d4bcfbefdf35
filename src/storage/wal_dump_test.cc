#include "storage/wal_dump.h"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "core/kv/command.h"
#include "storage/engine_memory.h"
#include "storage/files_memory.h"
#include "storage/recovery.h"

namespace metastore::storage {
namespace {

const std::string first_segment = "0000000000000000-0000000000000000.wal";

std::string etcd_segment() {
  std::ifstream in(std::string(METASTORE_TESTDATA) + "/etcd_3_4_wal.txt");
  std::string bytes;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    for (std::size_t i = 0; i + 1 < line.size(); i += 3) {
      bytes.push_back(static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16)));
    }
  }
  REQUIRE(bytes.size() > 1000);
  return bytes;
}

std::string dump_of(port::Files& files) {
  port::StorageResult<WalDump> dump = WalDump::open(files);
  if (!dump) return dump.error().message;
  std::string out;
  while (true) {
    const port::StorageResult<bool> more = dump.value().next(out);
    if (!more) return out + more.error().message + "\n";
    if (!more.value()) return out;
  }
}

TEST_CASE("what etcd wrote is listed record by record") {
  MemoryFiles files;
  files.contents["member/wal/" + first_segment] = etcd_segment() + std::string(1000, '\0');
  const std::string expected =
      first_segment +
      "\n"
      "0 crc 00000000\n"
      "16 metadata member=bdae9bbc11dd390d cluster=d1cfaf999eb97a2a\n"
      "56 snapshot term=0 index=0\n"
      "80 entry term=1 index=1 conf_change id: 0 type: ConfChangeAddNode node_id: 13668033151171901709 "
      "context: \"{\\\"id\\\":13668033151171901709,\\\"peerURLs\\\":[\\\"http://127.0.0.1:23801\\\"],"
      "\\\"name\\\":\\\"default\\\"}\"\n"
      "208 hard_state term=1 vote=0 commit=1\n"
      "232 entry term=2 index=2 normal\n";
  const std::string out = dump_of(files);
  CHECK(out.substr(0, expected.size()) == expected);
  for (int i = 1; i <= 5; ++i) {
    const std::string put = "put { key: \"key" + std::to_string(i) + "\" value: \"value" + std::to_string(i) + "\" }";
    CHECK(out.find("entry term=2 index=" + std::to_string(4 + i) + " normal") != std::string::npos);
    CHECK(out.find(put) != std::string::npos);
  }
  CHECK(out.ends_with("hard_state term=2 vote=bdae9bbc11dd390d commit=9\n"));
}

TEST_CASE("our own log passes the same reader, from the data directory or from the log's own") {
  MemoryFiles files;
  NewMember member;
  member.metadata = {MemberId(0xa), ClusterId(0xb)};
  member.first.hard_state = raft::HardState{Term(1), MemberId(0), LogIndex(0)};
  EnginesMemory engines;
  Recovery recovery = recover(files, engines, Limits{}, member).value();
  raft::LogWrite write;
  const std::string request("\x0a\x01k\x12\x01v", 6);
  write.append.push_back({Term(1), LogIndex(1), raft::EntryType::normal,
                          kv::encode_command(std::uint64_t{1} << 63, kv::Method::put, request)});
  write.append.push_back({Term(1), LogIndex(2), raft::EntryType::normal, Bytes::copy_of(BytesView("\0hash", 5))});
  REQUIRE(recovery.wal->append({&write, 1}).ok());
  const std::string expected = first_segment +
                               "\n"
                               "0 crc 00000000\n"
                               "16 metadata member=a cluster=b\n"
                               "40 snapshot term=0 index=0\n"
                               "64 hard_state term=1 vote=0 commit=0\n"
                               "88 entry term=1 index=1 normal ";
  const std::string out = dump_of(files);
  CHECK(out.substr(0, expected.size()) == expected);
  CHECK(out.find("put { key: \"k\" value: \"v\" }") != std::string::npos);
  CHECK(out.find(" entry term=1 index=2 normal \"\\x00hash\"\n") != std::string::npos);

  MemoryFiles log;
  log.contents[first_segment] = files.contents["member/wal/" + first_segment];
  CHECK(dump_of(log) == out);
}

TEST_CASE("a dump names damage and a torn tail, and says when there is no log") {
  MemoryFiles files;
  CHECK(dump_of(files).find("no log there") != std::string::npos);
  std::string& segment = files.contents["member/wal/" + first_segment];
  segment = etcd_segment();
  segment.resize(segment.size() - 3);
  CHECK(dump_of(files).find("torn at the end: member/wal/" + first_segment + " at offset ") != std::string::npos);
  segment = etcd_segment();
  segment[0x100] = '?';
  CHECK(dump_of(files).find("the log is damaged in member/wal/" + first_segment + " at offset ") != std::string::npos);
}

}  // namespace
}  // namespace metastore::storage

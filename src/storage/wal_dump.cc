#include "storage/wal_dump.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "core/proto/raft.pb.h"
#include "core/proto/raft_internal.pb.h"

namespace metastore::storage {

using port::StorageError;
using port::StorageResult;

namespace {

/// A payload's text beyond this is left out: a line is for reading.
constexpr std::size_t payload_text_max = 1000;

std::string hex(std::uint64_t value, std::size_t digits_min) {
  std::string text;
  for (; value != 0 || text.size() < digits_min; value >>= 4) text.push_back("0123456789abcdef"[value & 15]);
  std::reverse(text.begin(), text.end());
  return text;
}

std::string quoted(BytesView bytes) {
  std::string text = "\"";
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
      text.push_back(c);
    } else {
      text += "\\x" + hex(static_cast<unsigned char>(c), 2);
    }
  }
  return text + "\"";
}

/// The message's fields, or the bytes as they are if they are none: etcd logs other things before version 3.5.
template <typename Message>
std::string message_text(BytesView bytes) {
  Message message;
  const bool whole = message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return whole ? message.ShortDebugString() : quoted(bytes);
}

std::string payload_text(const raft::Entry& entry) {
  const BytesView data = entry.data.view();
  std::string text;
  if (data.starts_with('\0')) {
    text = quoted(data);  // What etcd's tools must skip (docs/disk_format.md).
  } else if (entry.type == raft::EntryType::normal) {
    text = message_text<etcdserverpb::InternalRaftRequest>(data);
  } else if (entry.type == raft::EntryType::conf_change) {
    text = message_text<raftpb::ConfChange>(data);
  } else {
    text = message_text<raftpb::ConfChangeV2>(data);
  }
  if (text.size() <= payload_text_max) return text;
  return text.substr(0, payload_text_max) + "... (" + std::to_string(data.size()) + " bytes in all)";
}

std::string position_text(Term term, LogIndex index) {
  return "term=" + std::to_string(term.value()) + " index=" + std::to_string(index.value());
}

struct Line {
  std::string operator()(const ChainValue& chain) const { return "crc " + hex(chain.crc, 8); }
  std::string operator()(const Metadata& metadata) const {
    return "metadata member=" + hex(metadata.member_id.value(), 1) + " cluster=" + hex(metadata.cluster_id.value(), 1);
  }
  std::string operator()(const raft::Entry& entry) const {
    constexpr std::string_view types[] = {"normal", "conf_change", "conf_change_v2"};
    return "entry " + position_text(entry.term, entry.index) + " " +
           std::string(types[static_cast<std::size_t>(entry.type)]) +
           (entry.data.empty() ? "" : " " + payload_text(entry));
  }
  std::string operator()(const raft::HardState& state) const {
    return "hard_state term=" + std::to_string(state.term.value()) + " vote=" + hex(state.vote.value(), 1) +
           " commit=" + std::to_string(state.commit.value());
  }
  std::string operator()(const raft::Mark& mark) const {
    return "snapshot " + position_text(mark.term, mark.index) +
           (mark.conf_state == raft::ConfState() ? "" : " " + raft::describe(mark.conf_state));
  }
};

}  // namespace

StorageResult<WalDump> WalDump::open(port::Files& files) {
  const std::string directory = files.exists("member/wal") ? "member/wal" : "";
  StorageResult<std::vector<Segment>> segments = list_segments(files, directory);
  if (!segments) return segments.error();
  if (segments.value().empty()) {
    return StorageError{"no log there: neither the directory nor member/wal in it holds a file named like " +
                        file_name(Segment{})};
  }
  return WalDump(WalReader(files, directory, std::move(segments).value()));
}

StorageResult<bool> WalDump::next(std::string& out) {
  if (ended_) return false;
  const StorageResult<std::optional<Record>> record = reader_.next();
  if (!record) return record.error();
  if (!record.value()) {
    ended_ = true;
    const WalTail tail = reader_.tail();
    if (tail.torn.empty()) return false;
    out += "torn at the end: " + tail.torn + "\n";
    return true;
  }
  if (std::holds_alternative<ChainValue>(*record.value())) out += file_name(reader_.segment()) + "\n";
  out += std::to_string(reader_.offset()) + " " + std::visit(Line{}, *record.value()) + "\n";
  return true;
}

}  // namespace metastore::storage

#include "core/replica/image.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/base/assert.h"
#include "core/replica/checkpoints.h"

namespace metastore {
namespace {

std::string hexadecimal_of(BytesView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::string refusal(std::string_view table, BytesView key, std::string_view reason) {
  return "the row " + hexadecimal_of(key) + " of table " + std::string(table) + " " + std::string(reason);
}

}  // namespace

Image::Image(Source source)
    : applier(std::make_unique<kv::Applier>()),
      source_(source),
      records_(std::make_unique<mvcc::Restoration>(applier->store())) {}

Status<std::string> Image::take(Table table, BytesView key, BytesView value) {
  switch (table) {
    case Table::state:
      return take_fact(key, value);
    case Table::records:
      return take_record(key, value);
    case Table::leases:
      return take_lease(key, value);
    case Table::members:
      return take_member(key, value);
    case Table::alarms:
      return take_alarm(key, value);
  }
  return refusal(std::to_string(static_cast<int>(table)), key, "belongs to a table that this version does not know");
}

Status<std::string> Image::take_fact(BytesView key, BytesView value) {
  Decoder in(value);
  if (key == row_keys::applied) {
    applied.index = in.tagged<LogIndex>();
    applied.term = in.tagged<Term>();
    applied.conf_state = raft::decode_conf_state(in);
  } else if (key == row_keys::revisions) {
    current_ = in.tagged<Revision>();
    compacted_ = in.tagged<Revision>();
  } else if (key == row_keys::cluster_version) {
    cluster_version = in.bytes();
  } else {
    return refusal("state", key, "is a fact that this version does not know");
  }
  if (!in.ok() || !in.at_end()) return refusal("state", key, "cannot be read");
  return Done{};
}

Status<std::string> Image::take_record(BytesView key, BytesView value) {
  const auto revision = decode_revision(key);
  if (!revision.has_value() || value.empty() || static_cast<unsigned char>(value[0]) > 1) {
    return refusal("records", key, "cannot be read");
  }
  const bool is_tombstone = value[0] == 1;
  const bool is_settled = source_ == Source::snapshot && revision->main < compacted_;
  const bool is_good = is_settled ? !is_tombstone && records_->settle(*revision, value.substr(1))
                                  : records_->add(*revision, is_tombstone, value.substr(1));
  if (!is_good) return refusal("records", key, "is no such record");
  return Done{};
}

Status<std::string> Image::take_lease(BytesView key, BytesView value) {
  const auto id = decode_number(key);
  Decoder in(value);
  const std::int64_t ttl_seconds = in.i64();
  // Those that were written by the first version have only that.
  const std::int64_t remaining_seconds = in.at_end() ? 0 : in.i64();
  if (!id.has_value() || !in.ok() || !in.at_end()) return refusal("leases", key, "cannot be read");
  if (!applier->lessor().restore(LeaseId(static_cast<std::int64_t>(*id)), ttl_seconds, remaining_seconds)) {
    return refusal("leases", key, "comes twice");
  }
  return Done{};
}

Status<std::string> Image::take_member(BytesView key, BytesView value) {
  const auto id = decode_number(key);
  Decoder in(value);
  const bool is_removed = in.boolean();
  if (id.has_value() && in.ok() && is_removed && in.at_end()) {
    members.restore_removed(MemberId(*id));
    return Done{};
  }
  Member member{.id = MemberId(id.value_or(0))};
  const auto texts = [&] {
    std::vector<std::string> list;
    for (std::uint64_t count = in.u64(); count > 0 && in.ok(); --count) list.emplace_back(in.bytes());
    return list;
  };
  member.name = in.bytes();
  member.peer_urls = texts();
  member.client_urls = texts();
  member.is_learner = in.boolean();
  // Those who were written by the first version have neither.
  if (!in.at_end()) member.data_id = in.u64();
  if (!in.at_end()) member.version = in.bytes();
  if (!id.has_value() || is_removed || !in.ok() || !in.at_end()) return refusal("members", key, "cannot be read");
  members.restore(std::move(member));
  return Done{};
}

Status<std::string> Image::take_alarm(BytesView key, BytesView value) {
  const auto type = decode_number(key.substr(0, 8));
  const auto member = decode_number(key.substr(std::min<std::size_t>(8, key.size())));
  if (!type.has_value() || !member.has_value() || !value.empty()) return refusal("alarms", key, "cannot be read");
  if (!kv::is_known_alarm(*type)) return refusal("alarms", key, "is an alarm that this version does not know");
  applier->alarms().restore({static_cast<kv::AlarmType>(*type), MemberId(*member)});
  return Done{};
}

Status<std::string> Image::finish() {
  const Result<bool, std::string> finished = finish_some(std::numeric_limits<std::uint64_t>::max());
  if (!finished) return finished.error();
  return Done{};
}

Result<bool, std::string> Image::finish_some(std::uint64_t keys) {
  if (records_ != nullptr && !records_->finish(current_, compacted_)) {
    return "the records end at a revision that the fact " + std::string(row_keys::revisions) + " denies";
  }
  records_.reset();
  lease::Lessor& lessor = applier->lessor();
  std::string dangling;
  mvcc::KeyRange rest = mvcc::KeyRange::all();
  rest.key = next_key_;
  const auto next = applier->store().range_some(rest, current_, keys, [&](mvcc::Record record) {
    if (record.lease() == LeaseId()) return true;
    if (!lessor.exists(record.lease())) {
      dangling = record.key();
      return false;
    }
    lessor.attach(record.lease(), record.key());
    return true;
  });
  if (!dangling.empty()) return "the key " + hexadecimal_of(dangling) + " hangs on a lease that is not there";
  if (!next.has_value()) return true;
  next_key_ = std::string(*next);
  return false;
}

}  // namespace metastore

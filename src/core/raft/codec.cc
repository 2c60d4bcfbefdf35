#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/base/error.h"
#include "core/raft/types.h"

namespace metastore::raft {
namespace {

/// The fields of a message in the order of their bytes: one list for both directions.
template <typename M>
auto fields(M& m) {
  using T = std::remove_const_t<M>;
  if constexpr (std::is_same_v<T, VoteRequest>) {
    return std::tie(m.term, m.last_index, m.last_term, m.pre_vote, m.leader_transfer);
  } else if constexpr (std::is_same_v<T, VoteReply>) {
    return std::tie(m.term, m.campaign_term, m.pre_vote, m.granted);
  } else if constexpr (std::is_same_v<T, AppendRequest>) {
    return std::tie(m.term, m.previous_index, m.previous_term, m.entries, m.commit, m.read_round);
  } else if constexpr (std::is_same_v<T, AppendReply>) {
    return std::tie(m.term, m.accepted, m.match_index, m.rejected_index, m.hint_index, m.hint_term, m.read_round);
  } else if constexpr (std::is_same_v<T, TimeoutNow>) {
    return std::tie(m.term);
  } else if constexpr (std::is_same_v<T, ReadIndexRequest>) {
    return std::tie(m.term, m.context);
  } else if constexpr (std::is_same_v<T, ReadIndexReply>) {
    return std::tie(m.term, m.context, m.confirmed, m.index);
  } else if constexpr (std::is_same_v<T, ProposalForward>) {
    return std::tie(m.term, m.incarnation, m.sequence, m.type, m.data);
  } else if constexpr (std::is_same_v<T, ProposalRefused>) {
    return std::tie(m.term, m.incarnation, m.sequence, m.reason);
  } else if constexpr (std::is_same_v<T, SnapshotOffer>) {
    return std::tie(m.term, m.mark, m.image, m.size_bytes);
  } else if constexpr (std::is_same_v<T, SnapshotReply>) {
    return std::tie(m.term, m.image, m.wanted, m.parts, m.incarnation);
  } else if constexpr (std::is_same_v<T, SnapshotPart>) {
    return std::tie(m.term, m.image, m.number, m.is_last, m.checksum, m.state_hash, m.rows);
  } else if constexpr (std::is_same_v<T, LeaderCall>) {
    return std::tie(m.term, m.id, m.method, m.message);
  } else if constexpr (std::is_same_v<T, LeaderReply>) {
    return std::tie(m.term, m.id, m.ok, m.error, m.message);
  } else if constexpr (std::is_same_v<T, StateHash>) {
    return std::tie(m.term, m.index, m.hash);
  } else if constexpr (std::is_same_v<T, Entry>) {
    return std::tie(m.term, m.index, m.type, m.data);
  } else if constexpr (std::is_same_v<T, ConfState>) {
    return std::tie(m.voters, m.learners, m.voters_outgoing, m.learners_next, m.auto_leave);
  } else {
    static_assert(std::is_same_v<T, Mark>);
    return std::tie(m.index, m.term, m.conf_state);
  }
}

struct Writer {
  Encoder& out;

  void put(bool value) { out.boolean(value); }
  void put(std::uint64_t value) { out.u64(value); }
  template <typename Tag>
  void put(Tagged<Tag> value) {
    out.tagged(value);
  }
  void put(EntryType type) { out.u64(static_cast<std::uint64_t>(type)); }
  /// By its name: the numbers are those of one build.
  void put(ErrorCode code) { out.bytes(name(code)); }
  void put(const Bytes& bytes) { out.bytes(bytes); }
  template <typename T>
  void put(const std::vector<T>& values) {
    out.u64(values.size());
    for (const T& value : values) put(value);
  }
  template <typename T>
  void put(const T& value) {
    std::apply([this](const auto&... field) { (this->put(field), ...); }, fields(value));
  }
};

struct Reader {
  Decoder& in;
  bool is_valid = true;

  bool ok() const { return is_valid && in.ok(); }
  void get(bool& value) { value = in.boolean(); }
  void get(std::uint64_t& value) { value = in.u64(); }
  void get(MemberId& id) { id = in.tagged<MemberId>(); }
  void get(Term& term) { get_countable(term); }
  void get(LogIndex& index) { get_countable(index); }
  /// What is counted up must have room above it.
  template <typename T>
  void get_countable(T& value) {
    value = in.tagged<T>();
    is_valid = is_valid && value.value() >> 63 == 0;
  }
  void get(EntryType& type) {
    const std::uint64_t number = in.u64();
    is_valid = is_valid && number <= static_cast<std::uint64_t>(EntryType::conf_change_v2);
    if (is_valid) type = static_cast<EntryType>(number);
  }
  void get(ErrorCode& code) {
    const BytesView wanted = in.bytes();
    const auto is_wanted = [&](ErrorCode known) {
      if (name(known) != wanted) return false;
      code = known;
      return true;
    };
#define METASTORE_ERROR_IS_WANTED(error, status, message, result) is_wanted(ErrorCode::error) ||
    is_valid = (METASTORE_ERRORS(METASTORE_ERROR_IS_WANTED) false) && is_valid;
#undef METASTORE_ERROR_IS_WANTED
  }
  void get(Bytes& bytes) { bytes = Bytes::copy_of(in.bytes()); }
  template <typename T>
  void get(std::vector<T>& values) {
    for (std::uint64_t count = in.u64(); count > 0 && ok(); --count) get(values.emplace_back());
  }
  template <typename T>
  void get(T& value) {
    std::apply([this](auto&... field) { (this->get(field), ...); }, fields(value));
  }
};

bool is_well_formed(const AppendRequest& request) {
  LogIndex index = request.previous_index;
  Term term = request.previous_term;
  for (const Entry& entry : request.entries) {
    if (entry.index != index.next() || entry.term < term) return false;
    index = entry.index;
    term = entry.term;
  }
  return term <= request.term;
}

/// What it stands for was committed by the leader's term, by somebody's votes.
bool is_well_formed(const SnapshotOffer& offer) {
  return offer.mark.term <= offer.term && !offer.mark.conf_state.voters.empty();
}

template <std::size_t alternative = 0>
bool get_message(Reader& reader, std::uint64_t number, Message& message) {
  if constexpr (alternative == std::variant_size_v<Message>) {
    return false;
  } else {
    if (number != alternative) return get_message<alternative + 1>(reader, number, message);
    reader.get(message.emplace<alternative>());
    return reader.ok();
  }
}

}  // namespace

void encode(Encoder& out, const Entry& entry) { Writer{out}.put(entry); }
void encode(Encoder& out, const ConfState& state) { Writer{out}.put(state); }

ConfState decode_conf_state(Decoder& in) {
  ConfState state;
  Reader{in}.get(state);
  return state;
}

void encode(Encoder& out, const HardState& state) {
  out.tagged(state.term);
  out.tagged(state.vote);
  out.tagged(state.commit);
}

void encode(Encoder& out, const LogWrite& write) {
  Writer writer{out};
  writer.put(write.id);
  writer.put(write.hard_state.has_value());
  if (write.hard_state) encode(out, *write.hard_state);
  writer.put(write.append);
  writer.put(write.mark.has_value());
  if (write.mark) writer.put(*write.mark);
  writer.put(write.release_to);
}

void encode(Encoder& out, const Envelope& envelope) {
  Writer writer{out};
  writer.put(envelope.from);
  writer.put(envelope.to);
  writer.put(static_cast<std::uint64_t>(envelope.message.index()));
  std::visit([&writer](const auto& message) { writer.put(message); }, envelope.message);
}

std::optional<Envelope> decode_envelope(BytesView bytes) {
  Decoder in(bytes);
  Reader reader{in};
  Envelope envelope;
  reader.get(envelope.from);
  reader.get(envelope.to);
  if (!get_message(reader, in.u64(), envelope.message) || !in.at_end()) return std::nullopt;
  const auto* append = std::get_if<AppendRequest>(&envelope.message);
  if (append != nullptr && !is_well_formed(*append)) return std::nullopt;
  const auto* offer = std::get_if<SnapshotOffer>(&envelope.message);
  if (offer != nullptr && !is_well_formed(*offer)) return std::nullopt;
  return envelope;
}

}  // namespace metastore::raft

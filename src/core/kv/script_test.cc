// Runs testdata/*.txt: requests as clients send them, through decoding, the log entry's codec and the applier; the
// transcript shows the reply as protobuf's own code reads it.
//
//   put KEY [value=V] [lease=N] [prev_kv] [ignore_value] [ignore_lease]
//   range KEY [end=E] [limit=N] [revision=N] [order=ascend|descend] [target=version|create|mod|value] [keys_only]
//         [count_only] [serializable] [min_mod=N] [max_mod=N] [min_create=N] [max_create=N]
//   delete KEY [end=E] [prev_kv]
//   compact REVISION [physical]
//   grant LEASE [ttl=SECONDS]       revoke LEASE       ttl LEASE [keys]       leases
//   txn, and below it lines, indented for a txn in a txn:
//     if version|create|mod|value|lease KEY [end=E] OPERATOR [OPERAND [as=TARGET]]
//     then|else put|range|delete|txn ...
#include "tests/script/script.h"

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <sstream>
#include <string>

#include "core/base/assert.h"
#include "core/kv/applier.h"
#include "core/kv/command.h"
#include "core/kv/request.h"
#include "core/proto/rpc.pb.h"

namespace metastore::kv {
namespace {

namespace pb = etcdserverpb;
using script::Command;

pb::PutRequest put_request(const Command& command) {
  pb::PutRequest request;
  request.set_key(command.word(0));
  request.set_value(command.value("value"));
  request.set_lease(command.number("lease"));
  request.set_prev_kv(command.has("prev_kv"));
  request.set_ignore_value(command.has("ignore_value"));
  request.set_ignore_lease(command.has("ignore_lease"));
  return request;
}

pb::RangeRequest range_request(const Command& command) {
  const std::map<std::string, int> orders{{"none", 0}, {"ascend", 1}, {"descend", 2}};
  const std::map<std::string, int> targets{{"key", 0}, {"version", 1}, {"create", 2}, {"mod", 3}, {"value", 4}};
  pb::RangeRequest request;
  request.set_key(command.word(0));
  request.set_range_end(command.value("end"));
  request.set_limit(command.number("limit"));
  request.set_revision(command.number("revision"));
  request.set_sort_order(pb::RangeRequest::SortOrder(orders.at(command.value("order", "none"))));
  request.set_sort_target(pb::RangeRequest::SortTarget(targets.at(command.value("target", "key"))));
  request.set_serializable(command.has("serializable"));
  request.set_keys_only(command.has("keys_only"));
  request.set_count_only(command.has("count_only"));
  request.set_min_mod_revision(command.number("min_mod"));
  request.set_max_mod_revision(command.number("max_mod"));
  request.set_min_create_revision(command.number("min_create"));
  request.set_max_create_revision(command.number("max_create"));
  return request;
}

pb::DeleteRangeRequest delete_request(const Command& command) {
  pb::DeleteRangeRequest request;
  request.set_key(command.word(0));
  request.set_range_end(command.value("end"));
  request.set_prev_kv(command.has("prev_kv"));
  return request;
}

pb::Compare compare(std::vector<std::string> words) {
  const std::map<std::string, int> targets{{"version", 0}, {"create", 1}, {"mod", 2}, {"value", 3}, {"lease", 4}};
  const std::map<std::string, int> operators{{"=", 0}, {">", 1}, {"<", 2}, {"!=", 3}};
  std::string operand_target = words.at(0);
  pb::Compare out;
  out.set_target(pb::Compare::CompareTarget(targets.at(words.at(0))));
  out.set_key(words.at(1));
  std::size_t at = 2;
  if (words.at(at).starts_with("end=")) out.set_range_end(words.at(at++).substr(4));
  out.set_result(pb::Compare::CompareResult(operators.at(words.at(at++))));
  if (at == words.size()) return out;
  const std::string operand = words.at(at++);
  if (at < words.size()) operand_target = words.at(at).substr(3);
  if (operand_target == "value") out.set_value(operand);
  if (operand_target == "version") out.set_version(std::stoll(operand));
  if (operand_target == "create") out.set_create_revision(std::stoll(operand));
  if (operand_target == "mod") out.set_mod_revision(std::stoll(operand));
  if (operand_target == "lease") out.set_lease(std::stoll(operand));
  return out;
}

std::size_t indent(const std::string& line) { return line.find_first_not_of(' '); }

/// Takes the lines of one txn, which are indented by more than `outer`.
pb::TxnRequest txn_request(std::deque<std::string>& lines, std::size_t outer) {
  pb::TxnRequest txn;
  while (!lines.empty() && indent(lines.front()) > outer) {
    const std::size_t depth = indent(lines.front());
    std::vector<std::string> words = script::split_words(lines.front().substr(depth));
    lines.pop_front();
    const std::string where = words.front();
    words.erase(words.begin());
    if (where == "if") {
      *txn.add_compare() = compare(words);
      continue;
    }
    REQUIRE((where == "then" || where == "else"));
    pb::RequestOp& operation = where == "then" ? *txn.add_success() : *txn.add_failure();
    if (words.empty()) continue;
    Command command;
    command.verb = words.front();
    command.words.assign(words.begin() + 1, words.end());
    if (command.verb == "put") *operation.mutable_request_put() = put_request(command);
    if (command.verb == "range") *operation.mutable_request_range() = range_request(command);
    if (command.verb == "delete") *operation.mutable_request_delete_range() = delete_request(command);
    if (command.verb == "txn") *operation.mutable_request_txn() = txn_request(lines, depth);
  }
  return txn;
}

std::string quoted(const std::string& bytes, bool always = true) {
  if (!always && bytes.find_first_of(std::string("\0\" ", 3)) == std::string::npos) return bytes;
  std::string out = "\"";
  for (const char c : bytes) out += c == '\0' ? "\\0" : c == '"' ? "\\\"" : std::string(1, c);
  return out + "\"";
}

std::string show(const mvccpb::KeyValue& kv) {
  std::ostringstream out;
  out << quoted(kv.key(), false) << " = " << quoted(kv.value()) << "  create " << kv.create_revision() << " mod "
      << kv.mod_revision() << " version " << kv.version();
  if (kv.lease() != 0) out << " lease " << kv.lease();
  return out.str() + "\n";
}

std::string at(const pb::ResponseHeader& header) { return " at " + std::to_string(header.revision()); }

std::string show(const pb::PutResponse& response, const std::string& margin) {
  std::string out = margin + "put" + at(response.header()) + "\n";
  if (response.has_prev_kv()) out += margin + "  previous " + show(response.prev_kv());
  return out;
}

std::string show(const pb::RangeResponse& response, const std::string& margin) {
  std::string out = margin + "range" + at(response.header()) + ": count " + std::to_string(response.count()) +
                    (response.more() ? ", more" : "") + "\n";
  for (const auto& kv : response.kvs()) out += margin + "  " + show(kv);
  return out;
}

std::string show(const pb::DeleteRangeResponse& response, const std::string& margin) {
  std::string out = margin + "delete" + at(response.header()) + ": " + std::to_string(response.deleted()) + "\n";
  for (const auto& kv : response.prev_kvs()) out += margin + "  previous " + show(kv);
  return out;
}

std::string show(const pb::CompactionResponse& response, const std::string& margin) {
  return margin + "compact" + at(response.header()) + "\n";
}

std::string show(const pb::LeaseGrantResponse& response, const std::string& margin) {
  return margin + "grant" + at(response.header()) + ": lease " + std::to_string(response.id()) + " for " +
         std::to_string(response.ttl()) + " s\n";
}

std::string show(const pb::LeaseRevokeResponse& response, const std::string& margin) {
  return margin + "revoke" + at(response.header()) + "\n";
}

std::string show(const pb::LeaseTimeToLiveResponse& response, const std::string& margin) {
  std::string out = margin + "ttl" + at(response.header()) + ": lease " + std::to_string(response.id()) + " has " +
                    std::to_string(response.ttl()) + " of " + std::to_string(response.grantedttl()) + " s";
  for (const std::string& key : response.keys()) out += " " + quoted(key, false);
  return out + "\n";
}

std::string show(const pb::LeaseLeasesResponse& response, const std::string& margin) {
  std::string out = margin + "leases" + at(response.header()) + ":";
  for (const pb::LeaseStatus& lease : response.leases()) out += " " + std::to_string(lease.id());
  return out + "\n";
}

std::string show(const pb::TxnResponse& response, const std::string& margin) {
  REQUIRE(response.has_header());
  std::string out = margin + "txn" + at(response.header()) + (response.succeeded() ? ": then" : ": else") + "\n";
  for (const pb::ResponseOp& operation : response.responses()) {
    const std::string inner = margin + "  ";
    switch (operation.response_case()) {
      case pb::ResponseOp::kResponseRange:
        out += show(operation.response_range(), inner);
        break;
      case pb::ResponseOp::kResponsePut:
        out += show(operation.response_put(), inner);
        break;
      case pb::ResponseOp::kResponseDeleteRange:
        out += show(operation.response_delete_range(), inner);
        break;
      case pb::ResponseOp::kResponseTxn:
        out += show(operation.response_txn(), inner);
        break;
      case pb::ResponseOp::RESPONSE_NOT_SET:
        out += inner + "nothing\n";
    }
  }
  return out;
}

/// One member that answers at once.
class Machine {
 public:
  Machine() { applier_.lessor().promote(Instant(), Duration()); }

  std::string execute(const Command& command) {
    if (command.verb == "put") return ask<pb::PutResponse>(Method::put, put_request(command));
    if (command.verb == "range") return ask<pb::RangeResponse>(Method::range, range_request(command));
    if (command.verb == "delete") return ask<pb::DeleteRangeResponse>(Method::delete_range, delete_request(command));
    if (command.verb == "compact") {
      pb::CompactionRequest request;
      request.set_revision(std::stoll(command.word(0)));
      request.set_physical(command.has("physical"));
      return ask<pb::CompactionResponse>(Method::compact, request);
    }
    if (command.verb == "grant") {
      pb::LeaseGrantRequest request;
      request.set_id(std::stoll(command.word(0)));
      request.set_ttl(command.number("ttl"));
      return ask<pb::LeaseGrantResponse>(Method::lease_grant, request);
    }
    if (command.verb == "revoke") {
      pb::LeaseRevokeRequest request;
      request.set_id(std::stoll(command.word(0)));
      return ask<pb::LeaseRevokeResponse>(Method::lease_revoke, request);
    }
    if (command.verb == "ttl") {
      pb::LeaseTimeToLiveRequest request;
      request.set_id(std::stoll(command.word(0)));
      request.set_keys(command.has("keys"));
      return ask<pb::LeaseTimeToLiveResponse>(Method::lease_time_to_live, request);
    }
    if (command.verb == "leases") {
      return ask<pb::LeaseLeasesResponse>(Method::lease_leases, pb::LeaseLeasesRequest());
    }
    if (command.verb == "txn") {
      std::deque<std::string> lines;
      std::istringstream input(command.input);
      for (std::string line; std::getline(input, line);) lines.push_back(line);
      return ask<pb::TxnResponse>(Method::txn, txn_request(lines, 0));
    }
    return "unknown verb " + command.verb;
  }

 private:
  static std::string error(ErrorCode code) { return "error: " + std::string(text(code)); }

  template <typename Response>
  std::string ask(Method method, const google::protobuf::Message& message) {
    const Result<Request> request = decode(method, Bytes::copy_of(message.SerializeAsString()), Limits());
    if (!request) return error(request.error());
    const Result<Bytes> reply = answer(request.value(), message.SerializeAsString());
    applier_.store().check_invariants();
    applier_.lessor().check_invariants();
    if (!reply) return error(reply.error());
    Response response;
    REQUIRE(response.ParseFromArray(reply.value().data(), static_cast<int>(reply.value().size())));
    // What we write is what protobuf would write, byte for byte.
    CHECK(response.SerializeAsString() == reply.value().view());
    CHECK(response.header().cluster_id() == header_.cluster.value());
    CHECK(response.header().member_id() == header_.member.value());
    CHECK(response.header().raft_term() == header_.term.value());
    return show(response, "");
  }

  Result<Bytes> answer(const Request& request, const std::string& message) {
    if (request.consistency() != Consistency::proposed) return applier_.read(request, header_, Instant());
    const Bytes command = encode_command(++last_id_, request.method(), message);
    Applied applied = applier_.apply(command.view(), header_, Instant());
    CHECK(applied.proposal_id == last_id_);
    while (!applier_.compact_some(1)) continue;
    return std::move(applied.reply);
  }

  const Header header_{ClusterId(11), MemberId(22), Term(33)};
  Applier applier_;
  std::uint64_t last_id_ = std::uint64_t{1} << 63;
};

TEST_CASE("requests are answered as their scripts say") {
  for (const std::string& path : script::files(METASTORE_TESTDATA)) {
    Machine machine;
    script::run(path, [&](const Command& command) { return machine.execute(command); });
  }
}

}  // namespace
}  // namespace metastore::kv

#include "core/replica/responses.h"

#include <string>

#include "core/base/encoder.h"
#include "core/base/version.h"
#include "core/mvcc/hash.h"
#include "core/proto/rpc.pb.h"

namespace metastore {
namespace {

void fill(etcdserverpb::ResponseHeader& out, const kv::Header& header) {
  out.set_cluster_id(header.cluster.value());
  out.set_member_id(header.member.value());
  out.set_raft_term(header.term.value());
}

void fill(etcdserverpb::Member& out, const Member& member) {
  out.set_id(member.id.value());
  out.set_name(member.name);
  for (const std::string& url : member.peer_urls) out.add_peerurls(url);
  for (const std::string& url : member.client_urls) out.add_clienturls(url);
  out.set_islearner(member.is_learner);
}

Bytes encoded(const google::protobuf::Message& message) {
  return Bytes::build(message.ByteSizeLong(), [&](char* out) {
    message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out));
  });
}

/// The protocol has room for 32 bits.
std::uint32_t folded(std::uint64_t hash) {
  std::string bytes;
  Encoder(bytes).u64(hash);
  return static_cast<std::uint32_t>(mvcc::hash_of(bytes));
}

}  // namespace

// Cluster replies leave the revision 0 (contract 1.4).
Bytes members_response(const kv::Header& header, const Members& members) {
  etcdserverpb::MemberListResponse response;
  fill(*response.mutable_header(), header);
  for (const auto& [id, member] : members.all()) fill(*response.add_members(), member);
  return encoded(response);
}

Bytes member_add_response(const kv::Header& header, const Members& members, MemberId added) {
  etcdserverpb::MemberAddResponse response;
  fill(*response.mutable_header(), header);
  for (const auto& [id, member] : members.all()) {
    if (id == added) fill(*response.mutable_member(), member);
    fill(*response.add_members(), member);
  }
  return encoded(response);
}

Bytes hash_kv_response(const kv::Header& header, Revision current, const mvcc::HashOfKeys& hash) {
  etcdserverpb::HashKVResponse response;
  fill(*response.mutable_header(), header);
  response.mutable_header()->set_revision(current.value());
  response.set_hash(hash.hash);
  response.set_compact_revision(hash.compacted.value());
  response.set_hash_revision(hash.revision.value());
  return encoded(response);
}

Bytes downgrade_response(const kv::Header& header, Revision current, std::string_view cluster_version) {
  etcdserverpb::DowngradeResponse response;
  fill(*response.mutable_header(), header);
  response.mutable_header()->set_revision(current.value());
  response.set_version(std::string(cluster_version.substr(0, cluster_version.rfind('.'))));
  return encoded(response);
}

Bytes hash_response(const kv::Header& header, Revision current, std::uint64_t hash) {
  etcdserverpb::HashResponse response;
  fill(*response.mutable_header(), header);
  response.mutable_header()->set_revision(current.value());
  response.set_hash(folded(hash));
  return encoded(response);
}

Bytes status_response(const kv::Header& header, const ReplicaStatus& status) {
  etcdserverpb::StatusResponse response;
  fill(*response.mutable_header(), header);
  response.mutable_header()->set_revision(status.revision.value());
  response.set_version(std::string(etcd_version));
  response.set_dbsize(static_cast<std::int64_t>(status.size_bytes));
  response.set_dbsizeinuse(static_cast<std::int64_t>(status.size_in_use_bytes));
  response.set_leader(status.leader.value());
  response.set_raftindex(status.commit_index.value());
  response.set_raftterm(status.term.value());
  response.set_raftappliedindex(status.applied_index.value());
  response.set_islearner(status.is_learner);
  if (status.leader == MemberId()) response.add_errors(std::string(text(ErrorCode::no_leader)));
  for (const kv::Alarm& alarm : status.alarms) {
    response.add_errors("memberID:" + std::to_string(alarm.member.value()) + " alarm:" + std::string(name(alarm.type)));
  }
  response.set_dbsizequota(status.quota_bytes);
  response.set_storageversion(status.cluster_version);
  response.mutable_downgradeinfo();
  return encoded(response);
}

}  // namespace metastore

// Runs testdata/*.txt: a store, its transactions and compactions, with every key's generations drawn. The invariants
// are checked after each command.
#include "tests/script/script.h"

#include <doctest/doctest.h>

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/mvcc/hash_scan.h"
#include "core/mvcc/store.h"

namespace metastore::mvcc {
namespace {

std::string number(Revision revision) { return std::to_string(revision.value()); }

std::string printable(BytesView bytes) {
  std::string out;
  for (const char c : bytes) out += c == '\0' ? std::string("\\0") : std::string(1, c);
  return out;
}

std::string describe(Record record) {
  if (!record) return "none\n";
  std::string out = printable(record.key());
  if (record.tombstone()) return out + " deleted at " + number(record.mod_revision()) + "\n";
  out += "=" + printable(record.value()) + " created " + number(record.create_revision()) + ", modified " +
         number(record.mod_revision()) + ", version " + std::to_string(record.version());
  if (record.lease() != LeaseId(0)) out += ", lease " + std::to_string(record.lease().value());
  return out + "\n";
}

/// A key's life, one column a revision: versions from 1 to the tombstone 'x' are one generation. A line goes on while
/// the key exists; what compaction freed is blank.
class Drawing {
 public:
  explicit Drawing(const Store& store) : store_(store) {
    if (store.compact_revision() > never_compacted) {
      store.range(KeyRange::all(), store.compact_revision(), [&](Record record) { return add(record); });
    }
    store.history(store.compact_revision(), [&](Record record) { return add(record); });
  }

  std::string text() const {
    std::string out = "revision  ";
    for (Revision r(2); r <= store_.current_revision(); r = r.next()) out += cell(number(r), ' ');
    out += "\n";
    if (store_.compact_revision() >= Revision(2)) {
      out += "          ";
      for (Revision r(2); r < store_.compact_revision(); r = r.next()) out += cell("", ' ');
      out += "^compacted\n";
    }
    for (const auto& [key, marks] : rows_) {
      std::string row = printable(key);
      row.resize(10, ' ');
      bool alive = false;
      for (Revision r(2); r <= store_.current_revision(); r = r.next()) {
        auto mark = marks.find(r);
        const std::string text = mark == marks.end() ? "" : mark->second;
        if (!text.empty()) alive = text.back() != 'x';
        row += cell(text, alive ? '-' : ' ');
      }
      out += row + "\n";
    }
    std::string trimmed;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) trimmed += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    return trimmed;
  }

 private:
  static std::string cell(std::string text, char fill) {
    text.resize(5, fill);
    return text;
  }

  bool add(Record record) {
    // A key's record at the compact revision itself comes from the range and from the history.
    if (!seen_.insert({record.revision(), record}).second) return true;
    rows_[std::string(record.key())][record.mod_revision()] +=
        record.tombstone() ? "x" : std::to_string(record.version());
    return true;
  }

  const Store& store_;
  std::map<RevisionPair, Record> seen_;
  std::map<std::string, std::map<Revision, std::string>> rows_;
};

class Machine {
 public:
  std::string execute(const script::Command& command) {
    std::string out = dispatch(command);
    store_.check_invariants();
    return out;
  }

 private:
  std::string dispatch(const script::Command& command) {
    if (command.verb == "put" || command.verb == "delete") {
      Transaction txn(store_);
      const std::string out = change(txn, command);
      txn.commit();
      return out + "revision " + number(store_.current_revision()) + "\n";
    }
    if (command.verb == "txn") return transaction(command);
    if (command.verb == "compact") return compact(Revision(std::stoll(command.word(0))));
    if (command.verb == "sweep") {
      const auto budget = static_cast<std::size_t>(command.number("budget", 1'000'000));
      return store_.compact_some(budget) ? "done\n" : "more to do\n";
    }
    if (command.verb == "draw") return Drawing(store_).text();
    if (command.verb == "size") return std::to_string(store_.encoded_bytes()) + "\n";
    if (command.verb == "hash_kv") return hash_kv(Revision(std::stoll(command.word(0))));
    if (command.verb == "history") {
      std::string out;
      store_.history(Revision(command.number("from")), [&](Record record) {
        out += std::to_string(record.revision().main.value()) + "." + std::to_string(record.revision().sub) + " " +
               describe(record);
        return true;
      });
      return out;
    }
    const Revision revision(command.number("rev", store_.current_revision().value()));
    if (const Status<> readable = store_.check_readable(revision); !readable) {
      return std::string(text(readable.error())) + "\n";
    }
    return read(command, revision);
  }

  std::string read(const script::Command& command, Revision revision) {
    if (command.verb == "get") return describe(store_.get(command.word(0), revision));
    const std::string key = command.word(0);
    const std::string end = command.value("end");
    const KeyRange range{key, end};
    std::string out;
    if (command.verb == "range") {
      store_.range(range, revision, [&](Record record) {
        out += describe(record);
        return true;
      });
    }
    return out + "count " + std::to_string(store_.count(range, revision)) + "\n";
  }

  static std::string change(Transaction& txn, const script::Command& command) {
    if (command.verb == "put") {
      const auto change = txn.put(command.word(0), command.word(1), LeaseId(command.number("lease")));
      return command.has("prev") ? "previous " + describe(change.previous) : "";
    }
    const std::string key = command.word(0);
    const std::string end = command.value("end");
    std::string previous;
    const auto deleted =
        txn.delete_range({key, end}, [&](Record record) { previous += "previous " + describe(record); });
    return (command.has("prev") ? previous : "") + "deleted " + std::to_string(deleted) + "\n";
  }

  std::string transaction(const script::Command& command) {
    std::string out;
    Transaction txn(store_);
    std::istringstream lines(command.input);
    for (std::string line; std::getline(lines, line);) {
      script::Command inner;
      inner.words = script::split_words(line);
      inner.verb = inner.words.front();
      inner.words.erase(inner.words.begin());
      if (inner.verb == "get") {
        out += "inside " + describe(txn.get(inner.word(0)));
        out += "outside " + describe(store_.get(inner.word(0), store_.current_revision()));
      } else {
        out += change(txn, inner);
      }
      out += "header " + number(txn.header_revision()) + "\n";
      store_.check_invariants();
    }
    if (!command.has("abandon")) txn.commit();
    return out + "revision " + number(store_.current_revision()) + "\n";
  }

  std::string compact(Revision revision) {
    if (const Status<> status = store_.compact(revision); !status) return std::string(text(status.error())) + "\n";
    return "compact revision " + number(store_.compact_revision()) + "\n";
  }

  std::string hash_kv(Revision revision) {
    const std::uint32_t hash = mvcc::hash_kv(store_, revision);
    const auto [former, first] = hashes_.emplace(std::pair(revision, store_.compact_revision()), hash);
    return first ? "remembered\n" : former->second == hash ? "the same as before\n" : "different from before\n";
  }

  Store store_;
  std::map<std::pair<Revision, Revision>, std::uint32_t> hashes_;  ///< By the compact revision, too.
};

TEST_CASE("the store does what its scripts say") {
  for (const std::string& path : script::files(METASTORE_TESTDATA)) {
    CAPTURE(path);
    Machine machine;
    script::run(path, [&](const script::Command& command) { return machine.execute(command); });
  }
}

}  // namespace
}  // namespace metastore::mvcc

// Reads and runs data-driven tests: prose, then commands, each with the transcript that is expected of it.
//
//   # Lines that start with '#', and empty lines, are prose.
//   put a value="hello world" lease=7
//   ----
//   revision 2
//
// The first line of a command is its verb and its words, lines below it up to "----" are its input, and lines below
// that up to an empty line are its transcript. A word is anything without spaces, or in part quoted, with \0, \n, \",
// \\ and \xNN inside the quotes. Use, from a doctest case:
//
//   for (const std::string& path : script::files(METASTORE_TESTDATA)) {
//     Machine machine;  // Fresh for each file.
//     script::run(path, [&](const script::Command& command) { return machine.execute(command); });
//   }
//
// where the folder comes from meson (cpp_args: '-DMETASTORE_TESTDATA="..."', dependencies: script_dep) and execute()
// returns lines, none of them empty. With METASTORE_BLESS=1 in the environment the files are rewritten to what happened
// instead; read the diff before you commit it. After etcd raft's interaction tests.
#ifndef METASTORE_TESTS_SCRIPT_SCRIPT_H_
#define METASTORE_TESTS_SCRIPT_SCRIPT_H_

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace metastore::script {

struct Command {
  std::string verb;
  std::vector<std::string> words;  ///< What follows the verb, unquoted: "a", "lease=7".
  std::string input;
  int line = 0;

  /// The words that are not name=value, in order; `fallback` if there are fewer.
  std::string word(std::size_t position, std::string fallback = "") const {
    for (const std::string& word : words) {
      if (word.find('=') == std::string::npos && position-- == 0) return word;
    }
    return fallback;
  }
  /// Whether `name` is among the words, bare or with a value.
  bool has(std::string_view name) const {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) {
      return word == name || (word.starts_with(name) && word.substr(name.size()).starts_with("="));
    });
  }
  std::string value(std::string_view name, std::string fallback = "") const {
    for (const std::string& word : words) {
      if (word.starts_with(name) && word.substr(name.size()).starts_with("=")) return word.substr(name.size() + 1);
    }
    return fallback;
  }
  std::int64_t number(std::string_view name, std::int64_t fallback = 0) const {
    return has(name) ? std::stoll(value(name)) : fallback;
  }
};

/// The scripts of `folder`, by name; with METASTORE_SCRIPT=NAME in the environment only that one.
inline std::vector<std::string> files(const std::string& folder) {
  const char* only = std::getenv("METASTORE_SCRIPT");
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (only != nullptr && entry.path().stem() != only) continue;
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  REQUIRE_MESSAGE(!paths.empty(), "no scripts in " << folder);
  return paths;
}

/// Splits a command line; quotes group, and backslash sequences stand for bytes inside them.
inline std::vector<std::string> split_words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool started = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      quoted = !quoted;
      started = true;
    } else if (quoted && c == '\\' && i + 1 < line.size()) {
      const char escape = line[++i];
      if (escape == 'x') {
        word += static_cast<char>(std::stoi(line.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        word += escape == '0' ? '\0' : escape == 'n' ? '\n' : escape;
      }
    } else if (!quoted && c == ' ') {
      if (started) words.push_back(word);
      word.clear();
      started = false;
    } else {
      word += c;
      started = true;
    }
  }
  if (started) words.push_back(word);
  return words;
}

template <typename Execute>
void run(const std::string& path, Execute&& execute) {
  const bool bless = std::getenv("METASTORE_BLESS") != nullptr;
  std::ifstream in(path);
  REQUIRE_MESSAGE(in.good(), "cannot read " << path);
  std::ostringstream rewritten;
  std::string line;
  int number = 0;
  while (std::getline(in, line)) {
    ++number;
    rewritten << line << '\n';
    if (line.empty() || line[0] == '#') continue;

    Command command;
    command.line = number;
    command.words = split_words(line);
    command.verb = command.words.front();
    command.words.erase(command.words.begin());
    bool separated = false;
    while (!separated && std::getline(in, line)) {
      ++number;
      rewritten << line << '\n';
      separated = line == "----";
      if (!separated) command.input += line + '\n';
    }
    REQUIRE_MESSAGE(separated, path << ":" << command.line << ": no ---- after this command");

    std::string expected;
    bool blank = false;
    while (!blank && std::getline(in, line)) {
      ++number;
      blank = line.empty();
      if (!blank) expected += line + '\n';
    }
    std::string actual = execute(static_cast<const Command&>(command));
    if (!actual.empty() && actual.back() != '\n') actual += '\n';
    REQUIRE_MESSAGE((actual[0] != '\n' && actual.find("\n\n") == std::string::npos),
                    path << ":" << command.line << ": an empty line would end the transcript");
    if (!bless) {
      CHECK_MESSAGE((actual == expected), path << ":" << command.line << ": expected\n"
                                               << expected << "but got\n"
                                               << actual);
    }
    rewritten << actual << (blank ? "\n" : "");
  }
  in.close();
  if (bless) std::ofstream(path) << rewritten.str();
}

}  // namespace metastore::script

#endif  // METASTORE_TESTS_SCRIPT_SCRIPT_H_

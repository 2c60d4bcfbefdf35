// Whole files of text, in and out, for the simulator's command line. Nothing that is simulated may use it.
#ifndef METASTORE_SIM_TEXT_FILE_POSIX_H_
#define METASTORE_SIM_TEXT_FILE_POSIX_H_

#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace metastore::sim {

/// None, and a word on standard error, if it cannot be read.
inline std::optional<std::string> read_text_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in.good()) text << in.rdbuf();
  if (in.good()) return std::move(text).str();
  std::fprintf(stderr, "cannot read %s\n", path.c_str());
  return std::nullopt;
}

inline bool write_text_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  if (!out.good()) std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return out.good();
}

}  // namespace metastore::sim

#endif  // METASTORE_SIM_TEXT_FILE_POSIX_H_

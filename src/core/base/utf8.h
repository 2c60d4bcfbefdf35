// Well-formed UTF-8, by RFC 3629: neither overlong forms nor surrogates. Bytes in, lengths out.
#ifndef METASTORE_CORE_BASE_UTF8_H_
#define METASTORE_CORE_BASE_UTF8_H_

#include <cstddef>
#include <string_view>

namespace metastore {

/// The length of the well-formed sequence that `text` begins with; 0 if it begins with none.   Requires: !text.empty().
std::size_t utf8_length(std::string_view text);

/// Whether all of it is well-formed.
bool is_utf8(std::string_view text);

}  // namespace metastore

#endif  // METASTORE_CORE_BASE_UTF8_H_

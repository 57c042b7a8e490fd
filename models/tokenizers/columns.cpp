#include "models/tokenizers/columns.hpp"

#include <utf8proc.h>

#include <algorithm>

namespace slipstream {

std::string fitted_to(std::string_view line, std::int64_t columns) {
  std::string fitted;
  while (!line.empty()) {
    utf8proc_int32_t character = 0;
    const auto read = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(line.data()),
                                       static_cast<utf8proc_ssize_t>(line.size()), &character);
    const bool strange = read < 1 || utf8proc_category(character) == UTF8PROC_CATEGORY_CC;
    columns -= strange ? 1 : utf8proc_charwidth(character);
    if (columns < 0) break;
    const auto bytes = static_cast<std::size_t>(std::max<utf8proc_ssize_t>(read, 1));
    fitted += strange ? "?" : line.substr(0, bytes);
    line.remove_prefix(bytes);
  }
  return fitted;
}

}  // namespace slipstream

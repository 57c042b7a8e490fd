#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/templates/syntax.hpp"

namespace slipstream::jinja {

enum class token_kind : std::uint8_t {
  data,
  print_begin,
  print_end,
  tag_begin,
  tag_end,
  name,
  text,
  number,
  sign,
  end
};

struct token {
  token_kind what = token_kind::end;
  position at{};
  std::string text{};  ///< data, a name, a sign
  value constant{};    ///< of texts and numbers
};

/// A template in pieces, as jinja2 cuts it with trim_blocks and lstrip_blocks; the last one is an end. Throws
/// input_error "WHERE:LINE:COL: error: ..." for what is none.
std::vector<token> read_tokens(std::string_view source, const std::string &where);

[[noreturn]] void refuse(const std::string &where, position at, const std::string &message);

/// The text that a literal with its quotes means; throws complaint.
std::string unescaped(std::string_view quoted);

/// How many bytes a number at the start of `text` takes, 0 when there is none. `after_dot`: it may not be a
/// float.
std::size_t number_length(std::string_view text, bool after_dot, bool &real);

/// The number that such a literal means; throws complaint for a whole one beyond 64 bits.
value number_of(std::string_view literal, bool real);

}  // namespace slipstream::jinja

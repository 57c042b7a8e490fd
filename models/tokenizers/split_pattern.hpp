#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// A run of bytes of a text.
struct text_span {
  std::size_t from = 0, to = 0;
};

/// A pre-tokenizer's regular expression, compiled by PCRE2 (UTF, Unicode properties, JIT). Hugging Face runs
/// the same text on Oniguruma in Ruby's syntax: what the two understand differently is refused. Immutable and
/// thread-safe.
class split_pattern {
 public:
  enum class kind { regex, literal };

  /// Throws input_error beginning with `where` for a pattern that does not compile, matches nothing's length,
  /// or uses what is not supported.
  split_pattern(const std::string &pattern, kind of, const std::string &where);

  /// Appends the matches in `text` (valid UTF-8), in order. Throws input_error when a match takes too long.
  void find_all(std::string_view text, std::vector<text_span> &matches) const;

 private:
  std::shared_ptr<const void> code_;
  std::string where_;
};

}  // namespace slipstream

#include "models/tokenizers/normal_forms.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "models/tokenizers/unicode_versions.hpp"

namespace slipstream {
namespace {

// No character below U+0300 is composed with another one, so composed text of such characters stays.
bool below_marks(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0xcc; });
}

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

int combining_class(utf8proc_int32_t character) {
  return utf8proc_get_property(character)->combining_class;
}

// Canonical order: marks between two starters by their class. utf8proc's own is quadratic in a run's length.
void order_marks(std::vector<utf8proc_int32_t> &characters) {
  for (auto from = characters.begin(); from != characters.end();) {
    const auto mark = [](utf8proc_int32_t c) { return combining_class(c) != 0; };
    from = std::find_if(from, characters.end(), mark);
    const auto to = std::find_if_not(from, characters.end(), mark);
    if (to - from > 1)
      std::stable_sort(from, to, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    from = to;
  }
}

class normaliser {
 public:
  explicit normaliser(normal_form form)
      : compose_(form == normal_form::nfc || form == normal_form::nfkc),
        options_(static_cast<utf8proc_option_t>(
            UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
            (form == normal_form::nfkc || form == normal_form::nfkd ? UTF8PROC_COMPAT : 0))) {}

  std::string run(std::string_view text) {
    for (auto left = static_cast<utf8proc_ssize_t>(text.size()); left > 0;) {
      utf8proc_int32_t character = 0;
      const auto *at = reinterpret_cast<const utf8proc_uint8_t *>(text.data() + text.size() - left);
      left -= utf8proc_iterate(at, left, &character);
      // utf8proc takes U+11A7, the jamo before the first final consonant, for a final consonant.
      if (character == 0x11a7 || unknown_to_normaliser(static_cast<std::uint32_t>(character))) {
        flush();
        write(character);
      } else {
        decompose(character);
      }
    }
    flush();
    return std::move(result_);
  }

 private:
  void decompose(utf8proc_int32_t character) {
    utf8proc_int32_t parts[32];  // the longest decomposition has 18 characters
    int boundary = 0;
    const auto count = utf8proc_decompose_char(character, parts, std::size(parts), options_, &boundary);
    run_.insert(run_.end(), parts, parts + count);
  }

  void flush() {
    order_marks(run_);
    auto count = static_cast<utf8proc_ssize_t>(run_.size());
    constexpr auto composing = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (compose_) count = utf8proc_normalize_utf32(run_.data(), count, composing);
    for (utf8proc_ssize_t i = 0; i < count; ++i) write(run_[static_cast<std::size_t>(i)]);
    run_.clear();
  }

  void write(utf8proc_int32_t character) {
    utf8proc_uint8_t bytes[4];
    const auto length = utf8proc_encode_char(character, bytes);
    result_.append(reinterpret_cast<const char *>(bytes), static_cast<std::size_t>(length));
  }

  bool compose_;
  utf8proc_option_t options_;
  std::vector<utf8proc_int32_t> run_;  // since the last border
  std::string result_;
};

}  // namespace

std::string normalised(std::string_view text, normal_form form) {
  if (form == normal_form::nfc ? below_marks(text) : ascii(text)) return std::string(text);
  return normaliser(form).run(text);
}

}  // namespace slipstream

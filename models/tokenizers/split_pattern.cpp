#include "models/tokenizers/split_pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include "models/error.hpp"
#include "models/tokenizers/regex_dialect.hpp"
#include "models/tokenizers/unicode_versions.hpp"

namespace slipstream {
namespace {

constexpr std::uint32_t most_steps = 100'000'000;  // a match that takes more is a pattern gone wild

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T *what) const {
    Free(what);
  }
};
using match_data = std::unique_ptr<pcre2_match_data, freed_by<pcre2_match_data_free>>;
using match_context = std::unique_ptr<pcre2_match_context, freed_by<pcre2_match_context_free>>;

const pcre2_code *code_of(const std::shared_ptr<const void> &code) {
  return static_cast<const pcre2_code *>(code.get());
}

PCRE2_SPTR bytes(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());
}

pcre2_code *compile(const std::string &pattern, std::uint32_t options, const std::string &where) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code *code = pcre2_compile(bytes(pattern), pattern.size(), options, &error, &offset, nullptr);
  if (code) return code;
  PCRE2_UCHAR text[160] = "";
  pcre2_get_error_message(error, text, sizeof text);
  throw input_error(where + ": the pattern does not compile at byte " + std::to_string(offset) + ": " +
                    reinterpret_cast<const char *>(text));
}

// The text to match: some characters of three or four bytes have a stand-in, see unicode_versions.hpp.
std::string_view with_stand_ins(std::string_view text, std::string &copy) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0xe0) {
      ++at;
      continue;
    }
    utf8proc_int32_t character = 0;
    const auto length = static_cast<std::size_t>(
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t *>(text.data() + at), 4, &character));
    const auto other = pattern_stand_in(static_cast<std::uint32_t>(character));
    if (other != static_cast<std::uint32_t>(character)) {
      if (copy.empty()) text = copy = text;
      utf8proc_encode_char(static_cast<utf8proc_int32_t>(other),
                           reinterpret_cast<utf8proc_uint8_t *>(copy.data() + at));
    }
    at += length;
  }
  return text;
}

}  // namespace

split_pattern::split_pattern(const std::string &pattern, kind of, const std::string &where) : where_(where) {
  if (pattern.empty()) throw input_error(where + ": the pattern is empty");
  if (pattern.size() > 1 << 16) throw input_error(where + ": the pattern is longer than 64 KiB");
  if (of == kind::regex)
    if (const auto difference = dialect_difference(pattern); !difference.empty())
      throw input_error(where + ": the pattern is not supported: it has " + std::string(difference));
  const std::uint32_t how = of == kind::regex ? PCRE2_UCP : PCRE2_LITERAL;
  pcre2_code *code = compile(pattern, PCRE2_UTF | how, where);
  code_ = std::shared_ptr<const void>(
      code, [](const void *held) { pcre2_code_free(static_cast<pcre2_code *>(const_cast<void *>(held))); });
  std::uint32_t matches_empty = 0;
  pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty) throw input_error(where + ": the pattern is not supported: it matches the empty text");
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without it, matching is only slower
}

void split_pattern::find_all(std::string_view text, std::vector<text_span> &matches) const {
  const pcre2_code *code = code_of(code_);
  std::string copy;
  text = with_stand_ins(text, copy);
  const match_data data(pcre2_match_data_create_from_pattern(code, nullptr));
  const match_context context(pcre2_match_context_create(nullptr));
  if (!data || !context) throw std::bad_alloc();
  pcre2_set_match_limit(context.get(), most_steps);
  for (std::size_t at = 0; at < text.size();) {
    int found =
        pcre2_match(code, bytes(text), text.size(), at, PCRE2_NO_UTF_CHECK, data.get(), context.get());
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)  // the interpreter's memory is on the heap
      found = pcre2_match(code, bytes(text), text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data.get(),
                          context.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw input_error(where_ + ": the pattern takes too long or too much memory on a text of " +
                        std::to_string(text.size()) + " bytes; split the text");
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data.get());
    matches.push_back({ends[0], ends[1]});
    at = ends[1];
  }
}

}  // namespace slipstream

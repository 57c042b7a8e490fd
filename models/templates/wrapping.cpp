#include <array>

#include "models/templates/filters.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/text_edits.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

constexpr std::string_view wrap_spaces = "\t\n\v\f\r ";

// Words and the white space between them, the last first.
std::vector<std::string_view> chunks_backwards(std::string_view line) {
  std::vector<std::string_view> made;
  while (!line.empty()) {
    const bool space = wrap_spaces.find(line.back()) != std::string_view::npos;
    const auto border = space ? line.find_last_not_of(wrap_spaces) : line.find_last_of(wrap_spaces);
    const std::size_t from = border == std::string_view::npos ? 0 : border + 1;
    made.push_back(line.substr(from));
    line = line.substr(0, from);
  }
  return made;
}

// Python's textwrap.wrap for one line, as a list of lines.
class line_wrapper {
 public:
  line_wrapper(std::string_view line, std::size_t width, bool breaks, budget &spending)
      : left_(chunks_backwards(line)), width_(width), breaks_(breaks) {
    spending.spend(line.size());
  }

  std::vector<std::string> wrap() {
    std::vector<std::string> lines;
    while (!left_.empty()) {
      if (!lines.empty() && blank(left_.back())) left_.pop_back();
      std::vector<std::string_view> line = next_line();
      if (!line.empty() && blank(line.back())) line.pop_back();
      if (line.empty()) continue;
      lines.emplace_back();
      for (const std::string_view part : line) lines.back() += part;
    }
    return lines;
  }

 private:
  static bool blank(std::string_view text) { return strip(text).empty(); }

  std::vector<std::string_view> next_line() {
    std::vector<std::string_view> line;
    std::size_t length = 0;
    for (; !left_.empty() && length + characters(left_.back()) <= width_; left_.pop_back()) {
      length += characters(left_.back());
      line.push_back(left_.back());
    }
    if (left_.empty() || characters(left_.back()) <= width_) return line;
    if (breaks_) {  // a word that is longer than a line
      const std::size_t end = offset_of(left_.back(), width_ - length);
      line.push_back(left_.back().substr(0, end));
      left_.back().remove_prefix(end);
    } else if (line.empty()) {
      line.push_back(left_.back());
      left_.pop_back();
    }
    return line;
  }

  std::vector<std::string_view> left_;  // the next one last
  std::size_t width_;
  bool breaks_;
};

// Where words with hyphens may be broken is a matter of textwrap's patterns, so they are refused.
value word_wrap(const value &self, const arguments &given, budget &spending) {
  const bound args("wordwrap", given, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  if (!self.is_text()) throw complaint(std::string("wordwrap of ") + type_name(self));
  const std::int64_t width = args.integer(0, 79);
  if (width < 1) throw complaint("wordwrap: the width must be at least 1");
  if (args.flag(3, true) && self.text().find('-') != std::string_view::npos)
    throw complaint("wordwrap of a text with hyphens is not supported; give break_on_hyphens=false");
  const std::string_view mark = args.text(2, "\n");
  std::string made;
  bool first = true;
  for (const std::string_view line : split_lines(self.text(), false)) {
    if (!first) made += mark;
    first = false;
    bool start = true;
    for (const std::string &each :
         line_wrapper(line, static_cast<std::size_t>(width), args.flag(1, true), spending).wrap()) {
      if (!start) made += mark;
      start = false;
      made += each;
      spending.room(made.size());
    }
  }
  return spending.text(std::move(made));
}

// How many words of letters, digits and underscores there are.
value word_count(const value &self, const arguments &given, budget &spending) {
  const bound none("wordcount", given, {});
  const value text = printed(self, spending);
  spending.spend(text.text().size() / 8);
  std::int64_t count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.text().size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text.text(), at);
    const value one = spending.text(std::string(text.text().substr(from, at - from)));
    const bool word = c == '_' || truth(find_text_test("isalnum")(one, {}, spending));
    count += word && !inside ? 1 : 0;
    inside = word;
  }
  return value(count);
}

constexpr std::array wrapping_filters_rows{filter_row{"wordwrap", word_wrap},
                                           filter_row{"wordcount", word_count}};

}  // namespace

std::span<const filter_row> wrapping_filters() {
  return wrapping_filters_rows;
}

}  // namespace slipstream::jinja

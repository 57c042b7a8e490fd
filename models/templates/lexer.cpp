#include "models/templates/lexer.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "models/templates/budget.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

// One kind of line end, and none behind the last line.
std::string with_newlines(std::string_view source) {
  std::string made;
  for (std::size_t i = 0; i < source.size(); ++i) {
    made += source[i] == '\r' ? '\n' : source[i];
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (made.ends_with('\n')) made.pop_back();
  return made;
}

constexpr std::string_view signs[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                      "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

class lexer {
 public:
  lexer(std::string_view source, const std::string &where) : text_(with_newlines(source)), where_(where) {}

  std::vector<token> read() {
    while (at_ < text_.size()) read_data();
    add(token_kind::end);
    return std::move(tokens_);
  }

 private:
  std::string_view rest(std::size_t from) const { return std::string_view(text_).substr(from); }
  bool ahead(std::string_view what) const { return rest(at_).starts_with(what); }

  position here() {
    for (; counted_ < at_; ++counted_)
      text_[counted_] == '\n' ? (++place_.line, place_.column = 1) : ++place_.column;
    return place_;
  }
  [[noreturn]] void fail(const std::string &message) { refuse(where_, here(), message); }
  token &add(token_kind what, std::string text = "") {
    return tokens_.emplace_back(token{what, here(), std::move(text), {}});
  }
  void skip_spaces() { at_ = text_.size() - strip(rest(at_), true, false).size(); }

  // Text up to the next tag, then that tag.
  void read_data() {
    std::size_t tag = text_.find('{', at_);
    while (
        tag != std::string::npos &&
        (tag + 1 == text_.size() || std::string_view("{%#").find(text_[tag + 1]) == std::string_view::npos))
      tag = text_.find('{', tag + 1);
    if (tag == std::string::npos) {
      add(token_kind::data, text_.substr(at_));
      at_ = text_.size();
      return;
    }
    const char kind = text_[tag + 1], mark = tag + 2 < text_.size() ? text_[tag + 2] : ' ';
    const bool marked = mark == '-' || mark == '+';
    emit(std::string_view(text_).substr(at_, tag - at_), marked ? mark : ' ', kind == '{');
    at_ = tag;
    const token_kind what = kind == '{' ? token_kind::print_begin : token_kind::tag_begin;
    token begin{what, here(), "", {}};
    at_ = tag + 2 + (marked ? 1 : 0);
    fresh_line_ = false;
    if (kind == '#') return read_comment();
    if (kind == '%' && read_raw()) return;
    tokens_.push_back(std::move(begin));
    read_tag(kind == '{');
  }

  // Data before a tag, without the white space that the tag takes away.
  void emit(std::string_view data, char mark, bool prints) {
    if (mark == '-') {
      data = strip(data, false, true);
    } else if (mark != '+' && !prints) {
      const auto line = data.rfind('\n') + 1;  // npos + 1 is 0
      if ((line > 0 || fresh_line_) && strip(data.substr(line)).empty()) data = data.substr(0, line);
    }
    if (!data.empty()) add(token_kind::data, std::string(data));
  }

  // Behind a tag's end: "-" takes all white space, nothing takes one line end, "+" keeps it.
  void trim(char mark, bool trims = true) {
    if (mark == '-')
      skip_spaces();
    else if (mark != '+' && trims && ahead("\n"))
      ++at_;
    fresh_line_ = text_[at_ - 1] == '\n';
  }

  void read_comment() {
    if (at_ == text_.size()) return;  // jinja2 lets a template end here, and behind {% raw %}
    const auto end = text_.find("#}", at_);
    if (end == std::string::npos) fail("the comment that starts here does not end with #}");
    const char mark = end > at_ ? text_[end - 1] : ' ';
    at_ = end + 2;
    trim(mark);
  }

  // {% raw %}, whose content is data up to {% endraw %}.
  bool read_raw() {
    const std::size_t start = at_;
    skip_spaces();
    const bool raw = ahead("raw");
    if (raw) at_ += 3, skip_spaces();
    if (!raw || (!ahead("%}") && !ahead("-%}"))) {
      at_ = start;
      return false;
    }
    const bool strips = ahead("-");
    at_ += strips ? 3 : 2;
    trim(strips ? '-' : '+');
    const std::size_t from = at_;
    if (from == text_.size()) return true;
    for (std::size_t tag = text_.find("{%", from); tag != std::string::npos; tag = text_.find("{%", tag + 1))
      if (end_raw(from, tag)) return true;
    at_ = start;
    fail("{% raw %} is not closed by {% endraw %}");
  }

  bool end_raw(std::size_t from, std::size_t tag) {
    at_ = tag + 2;
    const char mark = ahead("-") || ahead("+") ? text_[at_++] : ' ';
    skip_spaces();
    if (!ahead("endraw")) return false;
    at_ += 6;
    skip_spaces();
    const char last = ahead("-%}") || ahead("+%}") ? text_[at_] : ' ';
    if (last != ' ') ++at_;
    if (!ahead("%}")) return false;
    const std::size_t end = at_ + 2;
    at_ = from;
    emit(std::string_view(text_).substr(from, tag - from), mark, false);
    at_ = end;
    trim(last);
    return true;
  }

  void read_tag(bool prints) {
    const std::string_view end = prints ? "}}" : "%}";
    open_.clear();
    while (true) {
      if (at_ >= text_.size()) fail(std::string("a tag is not closed by ") + std::string(end));
      if (open_.empty()) {
        const bool marked = ahead("-") || (!prints && ahead("+"));
        if (rest(at_ + marked).starts_with(end)) {
          const char mark = marked ? text_[at_] : ' ';
          add(prints ? token_kind::print_end : token_kind::tag_end);
          at_ += end.size() + marked;
          return trim(mark, !prints);
        }
      }
      read_token();
    }
  }

  void read_token() {
    const char c = text_[at_];
    const std::size_t before = at_;
    skip_spaces();
    if (at_ != before) return;
    bool real = false;
    const bool after_dot = at_ > 0 && text_[at_ - 1] == '.';
    if (const std::size_t length = number_length(rest(at_), after_dot, real))
      return read_number(length, real);
    if (c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) return read_name();
    if (c == '\'' || c == '"') return read_text(c);
    read_sign();
  }

  void read_number(std::size_t length, bool real) {
    token &made = add(token_kind::number);
    try {
      made.constant = number_of(rest(at_).substr(0, length), real);
    } catch (const complaint &wrong) {
      fail(wrong.what());
    }
    at_ += length;
  }

  void read_name() {
    std::size_t to = at_;
    while (to < text_.size() && (text_[to] == '_' || std::isalnum(static_cast<unsigned char>(text_[to]))))
      ++to;
    add(token_kind::name, text_.substr(at_, to - at_));
    at_ = to;
  }

  void read_text(char quote) {
    std::size_t to = at_ + 1;
    while (to < text_.size() && text_[to] != quote) to += text_[to] == '\\' ? 2 : 1;
    if (to >= text_.size()) fail("a string is not closed");
    token &made = add(token_kind::text);
    try {
      made.constant = value::constant(unescaped(rest(at_).substr(0, to + 1 - at_)));
    } catch (const complaint &wrong) {
      fail(wrong.what());
    }
    at_ = to + 1;
  }

  void read_sign() {
    for (const std::string_view sign : signs) {
      if (!ahead(sign)) continue;
      const char c = sign[0];
      if (c == '(' || c == '[' || c == '{') open_ += c == '(' ? ')' : c == '[' ? ']' : '}';
      if (c == ')' || c == ']' || c == '}') {
        if (open_.empty() || open_.back() != c) fail("unexpected \"" + std::string(sign) + "\"");
        open_.pop_back();
      }
      add(token_kind::sign, std::string(sign));
      at_ += sign.size();
      return;
    }
    fail("unexpected character \"" + text_.substr(at_, offset_of(rest(at_), 1)) + "\"");
  }

  std::string text_;
  const std::string &where_;
  std::size_t at_ = 0, counted_ = 0;
  position place_;
  bool fresh_line_ = true;  // a tag here would be the first of its line
  std::string open_;        // brackets that wait for their ends
  std::vector<token> tokens_;
};

}  // namespace

std::vector<token> read_tokens(std::string_view source, const std::string &where) {
  return lexer(source, where).read();
}

void refuse(const std::string &where, position at, const std::string &message) {
  throw input_error(where + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                    ": error: " + message);
}

}  // namespace slipstream::jinja

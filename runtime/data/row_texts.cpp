#include "runtime/data/row_texts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr std::size_t longest_row = 256U << 20;
constexpr std::size_t deepest = 64;
constexpr std::string_view blanks = " \t\r\n";

}  // namespace

row_texts::row_texts(std::function<bool(std::string &)> next_piece, std::string name)
    : next_piece_(std::move(next_piece)), name_(std::move(name)) {}

void row_texts::fail(std::string_view message) const {
  throw input_error(fmt::format("{}:{}: error: {}", name_, line_, message));
}

// Drops what was taken, and adds the next piece of the file.
bool row_texts::more() {
  buffer_.erase(0, at_);
  at_ = 0;
  if (buffer_.size() > longest_row)
    fail("the row is longer than 256 MiB; is the file one JSON object a line, or one array of objects?");
  return next_piece_(buffer_);
}

void row_texts::take(std::size_t count) {
  const auto taken = std::string_view(buffer_).substr(at_, count);
  const auto lines = static_cast<std::size_t>(std::count(taken.begin(), taken.end(), '\n'));
  column_ = lines == 0 ? column_ + count : count - taken.rfind('\n');
  line_ += lines;
  at_ += count;
}

/// Goes to the next character that is no blank; false at the file's end.
bool row_texts::skip_blanks() {
  do {
    const auto sign = std::min(buffer_.find_first_not_of(blanks, at_), buffer_.size());
    take(sign - at_);
    if (at_ < buffer_.size()) return true;
  } while (more());
  return false;
}

void row_texts::find_form() {
  while (buffer_.size() < 3 && more()) continue;
  if (buffer_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // a byte-order mark
  form_ = form::lines;
  if (!skip_blanks() || buffer_[at_] != '[') return;
  form_ = form::array;
  take(1);
}

std::optional<row_text> row_texts::next() {
  if (form_ == form::unknown) find_form();
  if (form_ == form::lines) return next_line();
  return form_ == form::array ? next_element() : std::nullopt;
}

std::optional<row_text> row_texts::next_line() {
  if (!skip_blanks()) return {};
  column_ = 1;
  auto from = at_;
  auto end = buffer_.find('\n', from);
  while (end == std::string::npos) {
    const auto known = buffer_.size() - at_;
    if (!more()) break;
    end = buffer_.find('\n', at_ + known);
  }
  from = at_;
  const auto length = std::min(end, buffer_.size()) - from;
  row_text row{{}, line_, 0};
  take(length);
  row.text = std::string_view(buffer_).substr(from, length);
  if (row.text.ends_with('\r')) row.text.remove_suffix(1);
  return row;
}

/// After the array's end only blanks may stand.
void row_texts::end_array() {
  take(1);
  form_ = form::ended;
  if (skip_blanks())
    fail("something follows the end of the array; a file is one array, or one object a line");
}

std::optional<row_text> row_texts::next_element() {
  constexpr auto cut_off =
      "the array ends in the middle; a file that begins with \"[\" is one JSON array of "
      "objects, closed by \"]\"";
  if (!skip_blanks()) fail(cut_off);
  if (buffer_[at_] == ']') return end_array(), std::nullopt;
  if (rows_ > 0) {
    if (buffer_[at_] != ',') fail("a \",\" is missing between two elements of the array");
    take(1);
    if (!skip_blanks()) fail(cut_off);
    if (buffer_[at_] == ']') fail("a row is missing between the array's last \",\" and its \"]\"");
  }
  const auto length = element_length();
  if (length == std::string::npos) fail(cut_off);
  if (length == 0) fail("a row is missing before the \",\"");
  row_text row{{}, line_, column_};
  const auto from = at_;
  take(length);
  row.text = std::string_view(buffer_).substr(from, length);
  ++rows_;
  return row;
}

/// Returns the length of the element that begins here, up to the "," or "]" after it; npos where the file
/// ends before.
std::size_t row_texts::element_length() {
  std::size_t length = 0, depth = 0;
  bool quoted = false, escaped = false;
  do {
    for (; at_ + length < buffer_.size(); ++length) {
      const char sign = buffer_[at_ + length];
      if (quoted) {
        quoted = escaped || sign != '"';
        escaped = !escaped && sign == '\\';
      } else if (sign == '"') {
        quoted = true;
      } else if (sign == '{' || sign == '[') {
        if (++depth > deepest) fail("the row is nested too deeply; a row is one flat object");
      } else if (depth == 0 && (sign == ',' || sign == ']')) {
        return length;
      } else if (sign == '}' || sign == ']') {
        if (depth == 0) return length + 1;  // for the parser to refuse
        --depth;
      }
    }
  } while (more());
  return std::string::npos;
}

}  // namespace slipstream

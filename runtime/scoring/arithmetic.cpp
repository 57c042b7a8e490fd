#include "runtime/scoring/arithmetic.hpp"

namespace slipstream {
namespace {

using number = std::optional<std::int64_t>;

/// One function a rule of the grammar; each gives nothing when the text does not follow it.
class reader {
 public:
  explicit reader(std::string_view text) : text_(text) {}

  std::optional<arithmetic> whole() {
    const auto value = sum();
    if (!value || peek() != 0) return {};
    return arithmetic{*value, std::move(numbers_)};
  }

 private:
  static constexpr int deepest = 64;

  /// The next character that is not a space, or 0 at the end.
  char peek() {
    while (!text_.empty() && text_.front() == ' ') text_.remove_prefix(1);
    return text_.empty() ? '\0' : text_.front();
  }
  void skip() { text_.remove_prefix(1); }

  number sum() {
    auto left = product();
    while (left && (peek() == '+' || peek() == '-')) {
      const bool plus = peek() == '+';
      skip();
      const auto right = product();
      std::int64_t result = 0;
      if (!right || (plus ? __builtin_add_overflow(*left, *right, &result)
                          : __builtin_sub_overflow(*left, *right, &result)))
        return {};
      left = result;
    }
    return left;
  }

  number product() {
    auto left = part();
    while (left && peek() == '*') {
      skip();
      const auto right = part();
      std::int64_t result = 0;
      if (!right || __builtin_mul_overflow(*left, *right, &result)) return {};
      left = result;
    }
    return left;
  }

  number part() {
    if (peek() != '(') return literal();
    if (++depth_ > deepest) return {};
    skip();
    const auto inner = sum();
    if (!inner || peek() != ')') return {};
    skip();
    --depth_;
    return inner;
  }

  number literal() {
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    if (!digit(peek())) return {};
    std::int64_t value = 0;
    for (; !text_.empty() && digit(text_.front()); skip())
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_.front() - '0', &value))
        return {};
    numbers_.push_back(value);
    return value;
  }

  std::string_view text_;
  std::vector<std::int64_t> numbers_;
  int depth_ = 0;
};

}  // namespace

std::optional<arithmetic> parse_arithmetic(std::string_view text) {
  return reader(text).whole();
}

}  // namespace slipstream

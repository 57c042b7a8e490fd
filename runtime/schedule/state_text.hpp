#pragma once

#include <cstdint>
#include <string>
#include <utility>

namespace slipstream {

/// The state of a state machine as text: two machines of the same kind and set-up whose texts are equal
/// behave alike from then on. An exploration tells states apart by it.
class state_text {
 public:
  state_text &operator<<(std::int64_t number) {
    text_ += std::to_string(number);
    text_ += ' ';
    return *this;
  }
  state_text &operator<<(const std::string &word) {
    text_ += word;
    text_ += ' ';
    return *this;
  }
  /// Numbers in their order, and an end mark.
  template <class Numbers>
  state_text &all(const Numbers &numbers) {
    for (const auto number : numbers) *this << static_cast<std::int64_t>(number);
    return end();
  }
  state_text &end() {
    text_ += "; ";
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace slipstream

#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/templates/value.hpp"

namespace slipstream {

/// How much one rendering may do.
struct template_limits {
  std::size_t steps = 20'000'000;     ///< evaluated expressions, items gone through, 32 bytes copied
  std::size_t output = 64UL << 20U;   ///< bytes of text
  std::size_t memory = 256UL << 20U;  ///< bytes that values hold at one time
  std::size_t depth = 1000;           ///< expressions and statements within one another, calls of macros too
};

namespace jinja {

/// What is wrong with an operation; the place is added where it is known.
struct complaint : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr unsigned deepest_value = 200;  ///< lists and maps within one another

/// What a rendering may still spend, and where its values are made. Throws complaint when a limit is reached.
class budget {
 public:
  explicit budget(const template_limits &limits) : limits_(limits) {}
  budget(const budget &) = delete;
  budget &operator=(const budget &) = delete;

  void spend(std::size_t steps = 1) {
    spent_ += steps;
    if (spent_ > limits_.steps) exhausted("steps", limits_.steps);
  }
  /// Throws when `bytes` more would be too much.
  void room(std::size_t bytes) const {
    if (bytes > limits_.memory || account_.live + bytes > limits_.memory)
      exhausted("bytes of memory", limits_.memory);
  }
  const template_limits &limits() const { return limits_; }

  value text(std::string content, kind what = kind::text);
  value sequence(std::vector<value> items, kind what = kind::list, const char *name = "");
  value map(std::vector<std::pair<value, value>> entries);  ///< a later entry of a key replaces the earlier
  value range(std::int64_t start, std::int64_t stop, std::int64_t step);
  value method(value of, value name);
  /// Counts an object that somebody else holds.
  void own(object &made, std::size_t bytes) {
    room(bytes);
    account_.live += bytes;
    made.account = &account_;
    made.bytes = bytes;
  }

 private:
  [[noreturn]] static void exhausted(const char *what, std::size_t limit);
  template_limits limits_;
  memory_account account_;
  std::size_t spent_ = 0;
};

}  // namespace jinja
}  // namespace slipstream

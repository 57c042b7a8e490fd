#pragma once

#include <array>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "models/templates/budget.hpp"

namespace slipstream::jinja {

/// What a call gives.
struct arguments {
  std::vector<value> positional;
  std::vector<std::pair<std::string, value>> named;
};

/// Arguments by the names that a function has for them, of which the first `required` must be given. Throws
/// complaint.
class bound {
 public:
  bound(const char *what, const arguments &given, std::initializer_list<const char *> names,
        std::size_t required = 0);

  /// Null when it was not given, or given as none where `none_is_absent`.
  const value *get(std::size_t at) const { return values_.at(at); }
  bool given(std::size_t at) const { return values_.at(at) && !values_.at(at)->is(kind::none); }
  std::string_view text(std::size_t at, std::string_view otherwise = "") const;
  std::int64_t integer(std::size_t at, std::int64_t otherwise = 0) const;
  bool flag(std::size_t at, bool otherwise = false) const;

 private:
  [[noreturn]] void wrong(std::size_t at, const char *wanted) const;
  const char *what_;
  std::array<const char *, 6> names_{};
  std::array<const value *, 6> values_{};
};

}  // namespace slipstream::jinja

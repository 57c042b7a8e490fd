#pragma once

#include <string>
#include <string_view>

#include "models/templates/arguments.hpp"

namespace slipstream::jinja {

/// What can stand behind "is".
struct test_row {
  std::string_view name;
  bool (*call)(const value &self, const arguments &given, budget &spending);
};

/// Null when there is none, or none that is supported.
const test_row *find_test(std::string_view name);
std::string test_names();

}  // namespace slipstream::jinja

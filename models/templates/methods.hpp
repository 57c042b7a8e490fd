#pragma once

#include "models/templates/arguments.hpp"

namespace slipstream::jinja {

/// Whether Python's value has a method of this name, also one that is not supported or unsafe.
bool has_method(const value &of, std::string_view name);

/// Calls it. Throws complaint, by name for what is not supported.
value call_method(const value &of, std::string_view name, const arguments &given, budget &spending);

using method = value (*)(const value &self, const arguments &given, budget &spending);
method find_text_method(std::string_view name);
method find_text_test(std::string_view name);  ///< isdigit and the like

}  // namespace slipstream::jinja

#pragma once

#include <string>

#include "models/templates/budget.hpp"

namespace slipstream::jinja {

/// Appends what Python's str() gives. Throws complaint for what has no lasting text (functions, generators).
void print(std::string &into, const value &what, budget &spending);

/// The same as a value of its own; a string is itself.
value printed(const value &what, budget &spending);

/// Appends what Python's repr() gives.
void print_literal(std::string &into, const value &what, budget &spending);
void print_real(std::string &into, double number);

/// Appends JSON as Python's json.dumps writes it.
struct json_form {
  bool ascii = false, indented = false, sorted = false;
  std::string indent{}, item_separator = ", ", key_separator = ": ";
};
void print_json(std::string &into, const value &what, const json_form &form, budget &spending);

}  // namespace slipstream::jinja

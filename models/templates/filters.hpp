#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/templates/methods.hpp"

namespace slipstream::jinja {

/// A filter by its name; it is called as a method of the value before the bar.
struct filter_row {
  std::string_view name;
  method call;
};

/// Null when there is none, or none that is supported.
const filter_row *find_filter(std::string_view name);
std::string filter_names();
bool is_jinja_filter(std::string_view name);  ///< also one of jinja2's that is not supported

/// The tables that find_filter looks through.
std::span<const filter_row> text_filters();
std::span<const filter_row> sequence_filters();
std::span<const filter_row> choosing_filters();
std::span<const filter_row> number_filters();
std::span<const filter_row> sorting_filters();
std::span<const filter_row> web_filters();       ///< for HTML and addresses
std::span<const filter_row> wrapping_filters();  ///< of lines and words

}  // namespace slipstream::jinja

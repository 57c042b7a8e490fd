#pragma once

#include "models/templates/budget.hpp"
#include "models/templates/syntax.hpp"

namespace slipstream::jinja {

/// The name of tuples that groupby gives; they have the fields grouper and list.
constexpr const char *group_name = "group";

/// Python's operators. All throw complaint where Python raises.
value negated(const value &of);
value calculate(op what, const value &left, const value &right, budget &spending);

/// `of.name` as jinja2 looks it up: a method or field of the value, then an item; undefined when there is
/// neither.
value attribute_of(const value &of, const value &name, budget &spending);
/// A method or field of the value, never an item; undefined when there is none.
value only_attribute_of(const value &of, const value &name, budget &spending);
/// `of[key]`: an item, then a field; undefined when there is neither.
value item_of(const value &of, const value &key, budget &spending);
/// `of[start:stop:step]`, each of them an int or none.
value slice_of(const value &of, const value &start, const value &stop, const value &step, budget &spending);
/// The item at the end of a filter's attribute path ("a.b.0").
value item_by_path(value of, const value &path, budget &spending);

/// What going through a value gives: items, keys, characters. A generator is used up.
std::vector<value> items_of(const value &of, budget &spending);
/// How many they are, for what has a length; throws otherwise.
std::int64_t length_of(const value &of);

/// printf-style formatting.
value formatted(std::string_view form, const value &given, budget &spending);

[[noreturn]] void refuse_undefined(const value &what);

}  // namespace slipstream::jinja

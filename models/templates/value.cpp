#include "models/templates/value.hpp"

#include "models/templates/loop.hpp"
#include "models/templates/scope.hpp"

namespace slipstream::jinja {

const method_object &value::method() const {
  return as<method_object>();
}

std::string value::undefined_message() const {
  return std::string(hint_ ? hint_ : "is undefined") + (shared_ ? "\"" + std::string(text()) + "\"" : "");
}

loop_object &value::loop() const {
  return const_cast<loop_object &>(as<loop_object>());  // the one thing that changes under way
}

const char *type_name(const value &of) {
  switch (of.what()) {
    case kind::none:
      return "None";
    case kind::boolean:
      return "a bool";
    case kind::integer:
      return "an int";
    case kind::real:
      return "a float";
    case kind::text:
      return "a string";
    case kind::safe_text:
      return "text from the filters safe and escape (not supported here)";
    case kind::list:
      return "a list";
    case kind::tuple:
      return "a tuple";
    case kind::map:
      return "a dict";
    case kind::view:
      return "a view of a dict";
    case kind::generator:
      return "a generator";
    case kind::range:
      return "a range";
    case kind::name_space:
      return "a namespace";
    case kind::loop:
      return "the loop";
    case kind::macro:
      return "a macro";
    case kind::function:
      return "a function";
    case kind::method:
      return "a method";
    default:
      return "an undefined value";
  }
}

bool truth(const value &of) {
  switch (of.what()) {
    case kind::absent:
    case kind::undefined:
    case kind::none:
      return false;
    case kind::boolean:
    case kind::integer:
      return of.integer() != 0;
    case kind::real:
      return of.real() != 0;
    case kind::text:
    case kind::safe_text:
      return !of.text().empty();
    case kind::list:
    case kind::tuple:
    case kind::view:
      return !of.items().empty();
    case kind::map:
      return !of.map().entries.empty();
    case kind::range:
      return of.range().size() != 0;
    default:
      return true;
  }
}

const value *find(const map_object &map, std::string_view key) {
  const auto same = [&](const value &each) { return each.is_text() && each.text() == key; };
  if (!map.index.empty()) {
    const auto [from, to] = map.index.equal_range(std::hash<std::string_view>()(key));
    for (auto at = from; at != to; ++at)
      if (same(map.entries[at->second].first)) return &map.entries[at->second].second;
    return nullptr;
  }
  for (const auto &[name, content] : map.entries)
    if (same(name)) return &content;
  return nullptr;
}

}  // namespace slipstream::jinja

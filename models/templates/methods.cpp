#include "models/templates/methods.hpp"

#include <algorithm>
#include <iterator>

#include "models/templates/compare.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/scope.hpp"

namespace slipstream::jinja {
namespace {

// All that Python's types have, so that what is not supported is told from what is not there.
constexpr std::string_view of_text[] = {
    "capitalize", "casefold",     "center",       "count",   "encode",     "endswith",    "expandtabs",
    "find",       "format",       "format_map",   "index",   "isalnum",    "isalpha",     "isascii",
    "isdecimal",  "isdigit",      "isidentifier", "islower", "isnumeric",  "isprintable", "isspace",
    "istitle",    "isupper",      "join",         "ljust",   "lower",      "lstrip",      "maketrans",
    "partition",  "removeprefix", "removesuffix", "replace", "rfind",      "rindex",      "rjust",
    "rpartition", "rsplit",       "rstrip",       "split",   "splitlines", "startswith",  "strip",
    "swapcase",   "title",        "translate",    "upper",   "zfill"};
constexpr std::string_view of_map[] = {"clear", "copy",    "fromkeys",   "get",    "items", "keys",
                                       "pop",   "popitem", "setdefault", "update", "values"};
constexpr std::string_view of_list[] = {"append", "clear", "copy",   "count",   "extend", "index",
                                        "insert", "pop",   "remove", "reverse", "sort"};
constexpr std::string_view of_tuple[] = {"count", "index"};
constexpr std::string_view of_view[] = {"isdisjoint", "mapping"};
constexpr std::string_view of_range[] = {"count", "index", "start", "step", "stop"};
constexpr std::string_view of_number[] = {
    "as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator",
    "from_bytes",       "fromhex",   "hex",        "imag",      "is_integer",
    "numerator",        "real",      "to_bytes"};

template <std::size_t Count>
bool among(const std::string_view (&names)[Count], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

value map_method(const map_object &self, std::string_view name, const value &of, const arguments &given,
                 budget &spending) {
  if (name == "get") {
    const bound args("get", given, {"key", "default"}, 1);
    const bool text = args.get(0)->is_text();
    hash_of(*args.get(0));
    const value *found = text ? find(self, args.get(0)->text()) : nullptr;
    for (std::size_t i = 0; !text && !found && i < self.entries.size(); ++i)
      if (equal(self.entries[i].first, *args.get(0), spending)) found = &self.entries[i].second;
    return found ? *found : args.get(1) ? *args.get(1) : value::none();
  }
  const bound none(std::string(name).c_str(), given, {});
  if (name == "copy") return of;
  std::vector<value> made;
  for (const auto &[key, content] : self.entries) {
    if (name == "keys") made.push_back(key);
    if (name == "values") made.push_back(content);
    if (name == "items") made.push_back(spending.sequence({key, content}, kind::tuple));
  }
  if (name == "keys") return spending.sequence(std::move(made), kind::view, "dict_keys");
  if (name == "values") return spending.sequence(std::move(made), kind::view, "dict_values");
  if (name == "items") return spending.sequence(std::move(made), kind::view, "dict_items");
  throw complaint("changing a dict by \"" + std::string(name) + "\" is unsafe");
}

value list_method(const value &self, std::string_view name, const arguments &given, budget &spending) {
  if (name == "copy") return self;
  if (name != "count" && name != "index")
    throw complaint("changing a list by \"" + std::string(name) + "\" is unsafe");
  const bound args(name == "count" ? "count" : "index", given, {"value"}, 1);
  std::int64_t count = 0;
  const std::vector<value> items = items_of(self, spending);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!equal(items[i], *args.get(0), spending)) continue;
    if (name == "index") return value(static_cast<std::int64_t>(i));
    ++count;
  }
  if (name == "index") throw complaint("a list does not hold the item whose index is asked for");
  return value(count);
}

}  // namespace

bool has_method(const value &of, std::string_view name) {
  switch (of.what()) {
    case kind::text:
      return among(of_text, name);
    case kind::map:
      return among(of_map, name);
    case kind::list:
      return among(of_list, name);
    case kind::tuple:
      return among(of_tuple, name);
    case kind::view:
      return among(of_view, name);
    case kind::range:
      return among(of_range, name);
    case kind::boolean:
    case kind::integer:
    case kind::real:
      return among(of_number, name);
    case kind::safe_text:
      throw complaint("\"" + std::string(name) +
                      "\" of text from the filters safe and escape is not supported");
    default:
      return false;
  }
}

value call_method(const value &of, std::string_view name, const arguments &given, budget &spending) {
  spending.spend();
  if (of.is_text()) {
    spending.spend(of.text().size() / 16);
    if (const method found = find_text_method(name)) return found(of, given, spending);
    if (const method found = find_text_test(name)) return found(of, given, spending);
  }
  if (of.is(kind::map) && name != "fromkeys") return map_method(of.map(), name, of, given, spending);
  if (of.is(kind::list) || of.is(kind::tuple)) return list_method(of, name, given, spending);
  throw complaint("\"" + std::string(name) + "\" of " + type_name(of) + " is not supported");
}

}  // namespace slipstream::jinja

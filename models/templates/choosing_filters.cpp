#include <array>

#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/tests.hpp"

namespace slipstream::jinja {
namespace {

// Filters that apply a filter or a test, given by its name, to each item.

std::string_view name_of(const value &given, const char *what) {
  if (!given.is_text())
    throw complaint(std::string(what) + ": the name must be a string, not " + type_name(given));
  return given.text();
}

arguments without_first(const arguments &given, std::size_t count) {
  arguments rest;
  for (std::size_t i = count; i < given.positional.size(); ++i)
    rest.positional.push_back(given.positional[i]);
  rest.named = given.named;
  return rest;
}

value map_attribute(const value &self, const arguments &given, budget &spending) {
  const value *path = nullptr, *otherwise = nullptr;
  for (const auto &[name, content] : given.named) {
    if (name == "attribute")
      path = &content;
    else if (name == "default")
      otherwise = &content;
    else
      throw complaint("map takes no argument \"" + name + "\"");
  }
  if (!path) throw complaint("map needs a filter's name or an attribute");
  std::vector<value> made;
  for (const value &each : items_of(self, spending)) {
    value found = item_by_path(each, *path, spending);
    const bool replaced = found.is_undefined() && otherwise && !otherwise->is(kind::none);
    made.push_back(replaced ? *otherwise : std::move(found));
  }
  return spending.sequence(std::move(made), kind::generator);
}

value map(const value &self, const arguments &given, budget &spending) {
  if (!truth(self)) return spending.sequence({}, kind::generator);
  if (given.positional.empty()) return map_attribute(self, given, spending);
  const std::string_view name = name_of(given.positional.front(), "map");
  const filter_row *found = find_filter(name);
  if (!found) throw complaint("map: the filter \"" + std::string(name) + "\" is not supported");
  const arguments rest = without_first(given, 1);
  std::vector<value> made;
  for (const value &each : items_of(self, spending)) made.push_back(found->call(each, rest, spending));
  return spending.sequence(std::move(made), kind::generator);
}

value attr(const value &self, const arguments &given, budget &spending) {
  const bound args("attr", given, {"name"}, 1);
  return only_attribute_of(self, spending.text(std::string(args.text(0))), spending);
}

template <bool Wanted, bool ByAttribute>
value chosen(const value &self, const arguments &given, budget &spending) {
  std::vector<value> made;
  if (!truth(self)) return spending.sequence(std::move(made), kind::generator);
  constexpr std::size_t skipped = ByAttribute ? 1 : 0;
  if (given.positional.size() < skipped) throw complaint("selectattr and rejectattr need an attribute");
  const bool tested = given.positional.size() > skipped;
  const test_row *test = nullptr;
  if (tested) {
    const std::string_view name = name_of(given.positional[skipped], "select");
    test = find_test(name);
    if (!test) throw complaint("the test \"" + std::string(name) + "\" is not supported");
  }
  const arguments rest = without_first(given, skipped + 1);
  for (value &each : items_of(self, spending)) {
    const value looked_at = ByAttribute ? item_by_path(each, given.positional[0], spending) : each;
    const bool passes = test ? test->call(looked_at, rest, spending) : truth(looked_at);
    if (passes == Wanted) made.push_back(std::move(each));
  }
  return spending.sequence(std::move(made), kind::generator);
}

constexpr std::array choosing_filters_rows{filter_row{"map", map},
                                           filter_row{"attr", attr},
                                           filter_row{"select", chosen<true, false>},
                                           filter_row{"reject", chosen<false, false>},
                                           filter_row{"selectattr", chosen<true, true>},
                                           filter_row{"rejectattr", chosen<false, true>}};

}  // namespace

std::span<const filter_row> choosing_filters() {
  return choosing_filters_rows;
}

}  // namespace slipstream::jinja

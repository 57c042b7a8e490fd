#include <algorithm>
#include <array>

#include "models/templates/compare.hpp"
#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

value length(const value &self, const arguments &given, budget &) {
  const bound none("length", given, {});
  return value(length_of(self));
}

value list(const value &self, const arguments &given, budget &spending) {
  const bound none("list", given, {});
  return spending.sequence(items_of(self, spending));
}

value first(const value &self, const arguments &given, budget &spending) {
  const bound none("first", given, {});
  if (self.is(kind::generator)) {
    const sequence_object &all = self.sequence();
    if (all.cursor < all.items.size()) return all.items[all.cursor++];
    return value::undefined("there is no first item: the sequence was empty");
  }
  const std::vector<value> items = items_of(self, spending);
  return items.empty() ? value::undefined("there is no first item: the sequence was empty") : items.front();
}

value last(const value &self, const arguments &given, budget &spending) {
  const bound none("last", given, {});
  if (self.is(kind::generator)) throw complaint("last of a generator; make a list of it first");
  const std::vector<value> items = items_of(self, spending);
  return items.empty() ? value::undefined("there is no last item: the sequence was empty") : items.back();
}

value default_of(const value &self, const arguments &given, budget &spending) {
  const bound args("default", given, {"default_value", "boolean"});
  if (!self.is_undefined() && !(args.flag(1) && !truth(self))) return self;
  return args.get(0) ? *args.get(0) : spending.text("");
}

value join(const value &self, const arguments &given, budget &spending) {
  const bound args("join", given, {"d", "attribute"});
  std::string mark, made;
  if (args.get(0)) print(mark, *args.get(0), spending);
  bool start = true;
  for (const value &each : items_of(self, spending)) {
    spending.room(made.size() + mark.size());
    if (!start) made += mark;
    start = false;
    print(made, args.given(1) ? item_by_path(each, *args.get(1), spending) : each, spending);
  }
  return spending.text(std::move(made));
}

value reverse(const value &self, const arguments &given, budget &spending) {
  const bound none("reverse", given, {});
  std::vector<value> items = items_of(self, spending);
  std::reverse(items.begin(), items.end());
  if (!self.is_text())
    return spending.sequence(std::move(items), self.is(kind::generator) ? kind::list : kind::generator);
  std::string made;
  for (const value &each : items) made += each.text();
  return spending.text(std::move(made));
}

value items(const value &self, const arguments &given, budget &spending) {
  const bound none("items", given, {});
  if (!self.is_undefined() && !self.is(kind::map))
    throw complaint(std::string("items of ") + type_name(self));
  std::vector<value> made;
  if (self.is(kind::map))
    for (const auto &[key, content] : self.map().entries)
      made.push_back(spending.sequence({key, content}, kind::tuple));
  return spending.sequence(std::move(made), kind::generator);
}

value batch(const value &self, const arguments &given, budget &spending) {
  const bound args("batch", given, {"linecount", "fill_with"}, 1);
  const std::int64_t size = args.integer(0);
  if (size < 1 || size > 100000) throw complaint("batch: the size must be from 1 to 100000");
  std::vector<value> made, line;
  const auto full = [&] { return static_cast<std::int64_t>(line.size()) >= size; };
  for (const value &each : items_of(self, spending)) {
    if (full()) made.push_back(spending.sequence(std::move(line))), line.clear();
    line.push_back(each);
  }
  while (!line.empty() && args.given(1) && !full()) line.push_back(*args.get(1));
  if (!line.empty()) made.push_back(spending.sequence(std::move(line)));
  return spending.sequence(std::move(made), kind::generator);
}

value slice(const value &self, const arguments &given, budget &spending) {
  const bound args("slice", given, {"slices", "fill_with"}, 1);
  const std::int64_t count = args.integer(0);
  if (count < 1 || count > 100000) throw complaint("slice: the count must be from 1 to 100000");
  const std::vector<value> all = items_of(self, spending);
  const auto slices = static_cast<std::size_t>(count), each = all.size() / slices,
             longer = all.size() % slices;
  std::vector<value> made;
  std::size_t from = 0;
  for (std::size_t i = 0; i < slices; ++i) {
    const std::size_t to = from + each + (i < longer ? 1 : 0);
    std::vector<value> part(all.begin() + static_cast<std::ptrdiff_t>(from),
                            all.begin() + static_cast<std::ptrdiff_t>(to));
    if (args.given(1) && i >= longer) part.push_back(*args.get(1));
    made.push_back(spending.sequence(std::move(part)));
    from = to;
  }
  return spending.sequence(std::move(made), kind::generator);
}

constexpr std::array sequence_filters_rows{
    filter_row{"length", length}, filter_row{"count", length}, filter_row{"list", list},
    filter_row{"first", first},   filter_row{"last", last},    filter_row{"default", default_of},
    filter_row{"d", default_of},  filter_row{"join", join},    filter_row{"reverse", reverse},
    filter_row{"items", items},   filter_row{"batch", batch},  filter_row{"slice", slice}};

}  // namespace

std::span<const filter_row> sequence_filters() {
  return sequence_filters_rows;
}

}  // namespace slipstream::jinja

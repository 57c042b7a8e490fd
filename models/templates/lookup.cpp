#include <algorithm>
#include <charconv>

#include "models/templates/compare.hpp"
#include "models/templates/loop.hpp"
#include "models/templates/methods.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/scope.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

bool holds_items(const value &of) {
  return of.is(kind::list) || of.is(kind::tuple);
}

value missing(const value &of, const value &name) {
  const char *hint = of.is(kind::map)          ? "a dict has no "
                     : of.is_text()            ? "a string has no "
                     : holds_items(of)         ? "a list has no "
                     : of.is(kind::name_space) ? "a namespace has no "
                     : of.is(kind::none)       ? "None has no "
                                               : "a value has no ";
  return value::undefined(hint, name.is_text() ? name : value::constant("such item"));
}

// What is no item: a method, a namespace's or a loop's field.
value field_of(const value &of, const value &name, budget &spending) {
  const std::string_view field = name.text();
  if (field.starts_with("__")) throw complaint("access to \"" + std::string(field) + "\" is unsafe");
  if (of.is(kind::name_space)) {
    spending.spend(of.name_space().names.size() / 8);
    const value *found = of.name_space().find(field);
    if (found && field.starts_with('_'))
      throw complaint("access to \"" + std::string(field) + "\" is unsafe");
    return found ? *found : value();
  }
  if (of.is(kind::loop)) return loop_field(of, field);
  if (of.is(kind::tuple) && of.sequence().name == std::string_view(group_name)) {
    if (field == "grouper") return of.items()[0];
    if (field == "list") return of.items()[1];
  }
  if (of.is(kind::macro) && field == "name") return spending.text(of.macro().name);
  return has_method(of, field) ? spending.method(of, name) : value();
}

value plain_item(const value &of, const value &key, budget &spending) {
  if (of.is(kind::map)) {
    if (key.is_text()) {
      spending.spend();
      const value *found = find(of.map(), key.text());
      return found ? *found : value();
    }
    if (key.is_undefined()) return value();
    if (!can_be_key(key)) return value();  // which Python raises for, and jinja2 takes as not there
    for (const auto &[each, content] : of.map().entries)
      if (equal(each, key, spending)) return content;
    return value();
  }
  if (!key.is_whole()) return value();
  std::int64_t at = key.integer();
  if (of.is_text()) {
    spending.spend(of.text().size() / 16);
    const auto size = static_cast<std::int64_t>(characters(of.text()));
    if (at < 0) at += size;
    if (at < 0 || at >= size) return value();
    const std::string_view rest = of.text().substr(offset_of(of.text(), static_cast<std::size_t>(at)));
    return spending.text(std::string(rest.substr(0, offset_of(rest, 1))));
  }
  if (!holds_items(of) && !of.is(kind::range)) return value();
  const std::int64_t size = length_of(of);
  if (at < 0) at += size;
  if (at < 0 || at >= size) return value();
  if (of.is(kind::range)) return value(of.range().start + at * of.range().step);
  return of.items()[static_cast<std::size_t>(at)];
}

struct bounds {
  std::int64_t start, stop, step, count;
};

// As Python's slice.indices.
bounds bounds_of(std::int64_t size, const value &start, const value &stop, const value &step) {
  const auto number = [](const value &each, std::int64_t otherwise) {
    if (each.is(kind::none)) return otherwise;
    if (each.is_undefined()) refuse_undefined(each);
    if (!each.is_whole()) throw complaint(std::string("a slice by ") + type_name(each));
    return each.integer();
  };
  bounds made{0, 0, number(step, 1), 0};
  if (made.step == 0) throw complaint("a slice's step is zero");
  made.step = std::clamp<std::int64_t>(made.step, -(std::int64_t{1} << 40), std::int64_t{1} << 40);
  const std::int64_t lowest = made.step < 0 ? -1 : 0, highest = made.step < 0 ? size - 1 : size;
  const auto place = [&](const value &each, std::int64_t otherwise) {
    std::int64_t at = number(each, otherwise);
    if (each.is(kind::none)) return otherwise;
    if (at < 0) at = at < -size ? lowest : at + size;
    return std::clamp(at, lowest, highest);
  };
  made.start = place(start, made.step < 0 ? highest : lowest);
  made.stop = place(stop, made.step < 0 ? lowest : highest);
  if (made.step > 0 ? made.start < made.stop : made.start > made.stop)
    made.count = made.step > 0 ? (made.stop - made.start - 1) / made.step + 1
                               : (made.start - made.stop - 1) / -made.step + 1;
  return made;
}

value text_slice(std::string_view text, const bounds &cut, budget &spending) {
  spending.spend(text.size() / 16);
  if (cut.count == 0) return spending.text("");
  if (cut.step == 1) {
    const std::size_t from = offset_of(text, static_cast<std::size_t>(cut.start));
    const std::string_view rest = text.substr(from);
    return spending.text(std::string(rest.substr(0, offset_of(rest, static_cast<std::size_t>(cut.count)))));
  }
  spending.room(text.size() * sizeof(std::string_view));
  spending.spend(text.size());
  const std::vector<std::string_view> all = split_characters(text);
  std::string made;
  for (std::int64_t i = 0; i < cut.count; ++i)
    made += all[static_cast<std::size_t>(cut.start + i * cut.step)];
  return spending.text(std::move(made));
}

}  // namespace

value attribute_of(const value &of, const value &name, budget &spending) {
  if (of.is_undefined()) refuse_undefined(of);
  value found = field_of(of, name, spending);
  if (found.is(kind::absent)) found = plain_item(of, name, spending);
  return found.is(kind::absent) ? missing(of, name) : found;
}

value only_attribute_of(const value &of, const value &name, budget &spending) {
  if (of.is_undefined()) refuse_undefined(of);
  const value found = field_of(of, name, spending);
  return found.is(kind::absent) ? missing(of, name) : found;
}

value item_of(const value &of, const value &key, budget &spending) {
  if (of.is_undefined()) refuse_undefined(of);
  value found = plain_item(of, key, spending);
  if (found.is(kind::absent) && key.is_text()) found = field_of(of, key, spending);
  return found.is(kind::absent) ? missing(of, key) : found;
}

value slice_of(const value &of, const value &start, const value &stop, const value &step, budget &spending) {
  if (of.is_undefined()) refuse_undefined(of);
  if (of.is_text())
    return text_slice(
        of.text(), bounds_of(static_cast<std::int64_t>(characters(of.text())), start, stop, step), spending);
  if (of.is(kind::range)) {
    const range_object &range = of.range();
    const bounds cut = bounds_of(range.size(), start, stop, step);
    return spending.range(range.start + cut.start * range.step, range.start + cut.stop * range.step,
                          range.step * cut.step);
  }
  if (!holds_items(of)) throw complaint(std::string("a slice of ") + type_name(of));
  const bounds cut = bounds_of(static_cast<std::int64_t>(of.items().size()), start, stop, step);
  std::vector<value> made;
  spending.room(static_cast<std::size_t>(cut.count) * sizeof(value));
  for (std::int64_t i = 0; i < cut.count; ++i)
    made.push_back(of.items()[static_cast<std::size_t>(cut.start + i * cut.step)]);
  return spending.sequence(std::move(made), of.what());
}

value item_by_path(value of, const value &path, budget &spending) {
  if (path.is(kind::none)) return of;
  if (!path.is_text()) return item_of(of, path, spending);
  std::string_view rest = path.text();
  while (true) {
    const std::string_view part = rest.substr(0, rest.find('.'));
    std::int64_t number = 0;
    const auto [end, wrong] = std::from_chars(part.data(), part.data() + part.size(), number);
    const bool whole = wrong == std::errc() && end == part.data() + part.size() && part[0] != '-';
    of = item_of(of, whole ? value(number) : spending.text(std::string(part)), spending);
    if (part.size() == rest.size()) return of;
    rest.remove_prefix(part.size() + 1);
  }
}

}  // namespace slipstream::jinja

#include "models/templates/compare.hpp"

#include <algorithm>

#include <cmath>
#include <functional>

#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

int compare_numbers(const value &left, const value &right) {
  if (left.is_whole() && right.is_whole())
    return left.integer() < right.integer() ? -1 : left.integer() > right.integer();
  // A long double holds every whole number and every double.
  const auto exact = [](const value &each) {
    return each.is_whole() ? static_cast<long double>(each.integer()) : static_cast<long double>(each.real());
  };
  const long double a = exact(left), b = exact(right);
  if (std::isnan(a) || std::isnan(b)) return 2;  // neither less nor equal nor greater
  return a < b ? -1 : a > b;
}

bool equal_items(const std::vector<value> &left, const std::vector<value> &right, budget &spending) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i)
    if (!equal(left[i], right[i], spending)) return false;
  return true;
}

const value *find_key(const map_object &map, const value &key, budget &spending) {
  if (key.is_text()) return find(map, key.text());
  for (const auto &[each, content] : map.entries)
    if (equal(each, key, spending)) return &content;
  return nullptr;
}

bool equal_maps(const map_object &left, const map_object &right, budget &spending) {
  if (left.entries.size() != right.entries.size()) return false;
  for (const auto &[key, content] : left.entries) {
    const value *other = find_key(right, key, spending);
    if (!other || !equal(content, *other, spending)) return false;
  }
  return true;
}

bool equal_ranges(const range_object &left, const range_object &right) {
  const auto size = left.size();
  return size == right.size() &&
         (size == 0 || (left.start == right.start && (size == 1 || left.step == right.step)));
}

bool range_has(const range_object &range, const value &item) {
  if (!item.is_number()) return false;
  if (item.is(kind::real) && (std::abs(item.real()) > 9e15 || item.real() != std::floor(item.real())))
    return false;
  const std::int64_t number = item.is_whole() ? item.integer() : static_cast<std::int64_t>(item.real());
  if (range.step > 0 ? number < range.start || number >= range.stop
                     : number > range.start || number <= range.stop)
    return false;
  return (number - range.start) % range.step == 0;
}

bool among(const std::vector<value> &items, std::size_t from, const value &item, budget &spending,
           std::size_t *found) {
  for (std::size_t i = from; i < items.size(); ++i) {
    if (!equal(items[i], item, spending)) continue;
    if (found) *found = i + 1;
    return true;
  }
  if (found) *found = items.size();
  return false;
}

}  // namespace

bool equal(const value &left, const value &right, budget &spending) {
  spending.spend();
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == 0;
  if (left.is(kind::safe_text) || right.is(kind::safe_text))
    throw complaint("text from the filters safe and escape is compared, which is not supported");
  if (left.what() != right.what()) return false;
  switch (left.what()) {
    case kind::absent:
    case kind::undefined:
    case kind::none:
      return true;
    case kind::text:
      spending.spend(left.text().size() / 64);
      return left.text() == right.text();
    case kind::list:
    case kind::tuple:
      return equal_items(left.items(), right.items(), spending);
    case kind::map:
      return equal_maps(left.map(), right.map(), spending);
    case kind::range:
      return equal_ranges(left.range(), right.range());
    case kind::view:
      throw complaint("views of dicts are compared, which is not supported; make lists of them");
    case kind::function:
    case kind::method:
      throw complaint("functions are compared, which is not supported");
    default:
      return left.identity() == right.identity();
  }
}

int order(const value &left, const value &right, budget &spending) {
  spending.spend();
  if (left.is_number() && right.is_number()) return compare_numbers(left, right);
  if (left.is_undefined()) throw complaint(left.undefined_message());
  if (right.is_undefined()) throw complaint(right.undefined_message());
  const bool same = left.what() == right.what();
  if (same && left.is_text()) {
    spending.spend(left.text().size() / 64);
    const int found = left.text().compare(right.text());
    return found < 0 ? -1 : found > 0;
  }
  if (!same || (!left.is(kind::list) && !left.is(kind::tuple)))
    throw complaint(std::string("there is no order between ") + type_name(left) + " and " + type_name(right));
  const auto &a = left.items(), &b = right.items();
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    if (!equal(a[i], b[i], spending)) return order(a[i], b[i], spending);
  return a.size() < b.size() ? -1 : a.size() > b.size();
}

bool contains(const value &container, const value &item, budget &spending) {
  switch (container.what()) {
    case kind::text:
      if (item.is_undefined() || !item.is_text())
        throw complaint(std::string("looks for ") + type_name(item) + " in a string");
      spending.spend(container.text().size() / 16);
      return find_first(container.text(), item.text()) != std::string_view::npos;
    case kind::list:
    case kind::tuple:
    case kind::view:
      return among(container.items(), 0, item, spending, nullptr);
    case kind::generator: {
      const sequence_object &items = container.sequence();
      return among(items.items, items.cursor, item, spending, &items.cursor);
    }
    case kind::map:
      hash_of(item);
      return find_key(container.map(), item, spending) != nullptr;
    case kind::range:
      return range_has(container.range(), item);
    case kind::undefined:
      return false;
    default:
      throw complaint(std::string("looks for something in ") + type_name(container));
  }
}

bool compare(const value &left, comparison how, const value &right, budget &spending) {
  switch (how) {
    case comparison::equal:
      return equal(left, right, spending);
    case comparison::unequal:
      return !equal(left, right, spending);
    case comparison::in:
      return contains(right, left, spending);
    case comparison::not_in:
      return !contains(right, left, spending);
    default:
      break;
  }
  const int found = order(left, right, spending);
  if (found == 2) return false;
  if (how == comparison::less) return found < 0;
  if (how == comparison::at_most) return found <= 0;
  return how == comparison::greater ? found > 0 : found >= 0;
}

bool can_be_key(const value &of) {
  switch (of.what()) {
    case kind::text:
    case kind::none:
    case kind::undefined:
    case kind::boolean:
    case kind::integer:
    case kind::real:
      return true;
    case kind::tuple:
      return std::all_of(of.items().begin(), of.items().end(), can_be_key);
    default:
      return false;
  }
}

std::size_t hash_of(const value &key) {
  switch (key.what()) {
    case kind::text:
      return std::hash<std::string_view>()(key.text());
    case kind::none:
    case kind::undefined:
      return 7;
    case kind::tuple:
      for (const value &each : key.items()) hash_of(each);  // of a list within it there is none
      return 7;
    case kind::boolean:
    case kind::integer:
    case kind::real:
      return std::hash<double>()(key.as_real());
    default:
      throw complaint(std::string(type_name(key)) + " cannot be a key");
  }
}

}  // namespace slipstream::jinja

#include "models/templates/loop.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

std::vector<value> characters_of(std::string_view text, budget &spending) {
  std::vector<value> made;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    next_character(text, at);
    made.push_back(spending.text(std::string(text.substr(from, at - from))));
  }
  return made;
}

std::vector<value> numbers_of(const range_object &range, budget &spending) {
  const auto count = static_cast<std::size_t>(range.size());
  spending.room(count * sizeof(value));
  spending.spend(count);
  std::vector<value> made;
  for (std::size_t i = 0; i < count; ++i)
    made.emplace_back(range.start + static_cast<std::int64_t>(i) * range.step);
  return made;
}

}  // namespace

std::vector<value> items_of(const value &of, budget &spending) {
  switch (of.what()) {
    case kind::list:
    case kind::tuple:
    case kind::view: {
      spending.spend(of.items().size());
      spending.room(of.items().size() * sizeof(value));
      return of.items();
    }
    case kind::generator: {
      const sequence_object &all = of.sequence();
      spending.spend(all.items.size() - all.cursor);
      std::vector<value> rest(all.items.begin() + static_cast<std::ptrdiff_t>(all.cursor), all.items.end());
      all.cursor = all.items.size();
      return rest;
    }
    case kind::map: {
      std::vector<value> keys;
      spending.spend(of.map().entries.size());
      for (const auto &[key, content] : of.map().entries) keys.push_back(key);
      return keys;
    }
    case kind::text:
      return characters_of(of.text(), spending);
    case kind::range:
      return numbers_of(of.range(), spending);
    case kind::undefined:
      return {};
    default:
      throw complaint(std::string(type_name(of)) + " cannot be gone through");
  }
}

std::int64_t length_of(const value &of) {
  switch (of.what()) {
    case kind::list:
    case kind::tuple:
    case kind::view:
      return static_cast<std::int64_t>(of.items().size());
    case kind::map:
      return static_cast<std::int64_t>(of.map().entries.size());
    case kind::text:
      return static_cast<std::int64_t>(characters(of.text()));
    case kind::range:
      return of.range().size();
    case kind::undefined:
      return 0;
    default:
      throw complaint(std::string(type_name(of)) + " has no length");
  }
}

}  // namespace slipstream::jinja

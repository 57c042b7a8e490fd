#include <algorithm>
#include <array>

#include "models/templates/compare.hpp"
#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/text_edits.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

// What an item is ordered by: an attribute of it, in small letters unless case counts.
value key_of(const value &item, const value *path, bool case_sensitive, budget &spending) {
  const value found = path ? item_by_path(item, *path, spending) : item;
  return found.is_text() && !case_sensitive ? spending.text(lower(found.text())) : found;
}

struct keyed {
  value key, item;
};

void sort_by_key(std::vector<keyed> &all, bool reverse, budget &spending) {
  std::stable_sort(all.begin(), all.end(), [&](const keyed &a, const keyed &b) {
    const int found = reverse ? order(b.key, a.key, spending) : order(a.key, b.key, spending);
    return found == -1;
  });
}

value items_of_keyed(std::vector<keyed> &all, budget &spending) {
  std::vector<value> made;
  for (keyed &each : all) made.push_back(std::move(each.item));
  return spending.sequence(std::move(made));
}

// Several attributes, separated by commas, are compared in turn.
value sort(const value &self, const arguments &given, budget &spending) {
  const bound args("sort", given, {"reverse", "case_sensitive", "attribute"});
  std::vector<value> paths;
  if (args.given(2) && args.get(2)->is_text())
    for (const std::string_view part : split_by(args.text(2), ",", -1, false))
      paths.push_back(spending.text(std::string(part)));
  else
    paths.push_back(args.given(2) ? *args.get(2) : value::none());
  std::vector<keyed> all;
  for (value &each : items_of(self, spending)) {
    std::vector<value> keys;
    for (const value &path : paths) keys.push_back(key_of(each, &path, args.flag(1), spending));
    all.push_back({spending.sequence(std::move(keys)), std::move(each)});
  }
  sort_by_key(all, args.flag(0), spending);
  return items_of_keyed(all, spending);
}

// An attribute's value, or what stands for one that is missing.
value grouped_by(const value &item, const bound &args, budget &spending) {
  const value found = item_by_path(item, *args.get(0), spending);
  return found.is_undefined() && args.given(1) ? *args.get(1) : found;
}

// Pairs of a value and the items that have it, which also have names.
value groupby(const value &self, const arguments &given, budget &spending) {
  const bound args("groupby", given, {"attribute", "default", "case_sensitive"}, 1);
  std::vector<keyed> all;
  for (value &each : items_of(self, spending)) {
    const value key = key_of(grouped_by(each, args, spending), nullptr, args.flag(2), spending);
    all.push_back({key, std::move(each)});
  }
  sort_by_key(all, false, spending);
  std::vector<value> groups;
  for (std::size_t at = 0; at < all.size();) {
    const value key = all[at].key, shown = grouped_by(all[at].item, args, spending);
    std::vector<value> items;
    for (; at < all.size() && equal(all[at].key, key, spending); ++at) items.push_back(all[at].item);
    groups.push_back(
        spending.sequence({shown, spending.sequence(std::move(items))}, kind::tuple, group_name));
  }
  return spending.sequence(std::move(groups));
}

value dictsort(const value &self, const arguments &given, budget &spending) {
  const bound args("dictsort", given, {"case_sensitive", "by", "reverse"});
  const std::string_view by = args.text(1, "key");
  if (!self.is(kind::map)) throw complaint(std::string("dictsort of ") + type_name(self));
  if (by != "key" && by != "value") throw complaint("dictsort: by must be \"key\" or \"value\"");
  std::vector<keyed> all;
  for (const auto &[key, content] : self.map().entries)
    all.push_back({key_of(by == "key" ? key : content, nullptr, args.flag(0), spending),
                   spending.sequence({key, content}, kind::tuple)});
  sort_by_key(all, args.flag(2), spending);
  return items_of_keyed(all, spending);
}

value unique(const value &self, const arguments &given, budget &spending) {
  const bound args("unique", given, {"case_sensitive", "attribute"});
  std::vector<value> made, seen;
  for (const value &each : items_of(self, spending)) {
    value key = key_of(each, args.given(1) ? args.get(1) : nullptr, args.flag(0), spending);
    hash_of(key);
    if (std::any_of(seen.begin(), seen.end(),
                    [&](const value &known) { return equal(known, key, spending); }))
      continue;
    seen.push_back(std::move(key));
    made.push_back(each);
  }
  return spending.sequence(std::move(made), kind::generator);
}

template <int Wanted>
value extreme(const value &self, const arguments &given, budget &spending) {
  const bound args("min and max", given, {"case_sensitive", "attribute"});
  const value *path = args.given(1) ? args.get(1) : nullptr;
  const std::vector<value> all = items_of(self, spending);
  if (all.empty()) return value::undefined("there is no least or greatest item: the sequence was empty");
  value best = all.front(), best_key = key_of(best, path, args.flag(0), spending);
  for (std::size_t i = 1; i < all.size(); ++i) {
    value key = key_of(all[i], path, args.flag(0), spending);
    if (order(key, best_key, spending) != Wanted) continue;
    best = all[i];
    best_key = std::move(key);
  }
  return best;
}

constexpr std::array sorting_filters_rows{filter_row{"sort", sort},         filter_row{"groupby", groupby},
                                          filter_row{"dictsort", dictsort}, filter_row{"unique", unique},
                                          filter_row{"min", extreme<-1>},   filter_row{"max", extreme<1>}};

}  // namespace

std::span<const filter_row> sorting_filters() {
  return sorting_filters_rows;
}

}  // namespace slipstream::jinja

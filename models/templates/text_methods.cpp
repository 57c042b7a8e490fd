#include <algorithm>
#include <array>

#include "models/templates/methods.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/text_edits.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

template <std::string (*Change)(std::string_view)>
value method_changed(const value &self, const arguments &given, budget &spending) {
  const bound none("a string's method", given, {});
  spending.spend(self.text().size() / 8);
  spending.room(3 * self.text().size());
  return spending.text(Change(self.text()));
}

template <bool Left, bool Right>
value stripped(const value &self, const arguments &given, budget &spending) {
  const bound args("strip", given, {"chars"});
  const std::string_view text = self.text();
  if (!args.given(0)) return spending.text(std::string(strip(text, Left, Right)));
  spending.spend(text.size() * (1 + args.text(0).size() / 16) / 8);
  return spending.text(std::string(strip_set(text, args.text(0), Left, Right)));
}

template <bool FromRight>
value split(const value &self, const arguments &given, budget &spending) {
  const bound args("split", given, {"sep", "maxsplit"});
  const std::int64_t most = args.integer(1, -1);
  std::vector<std::string_view> parts;
  spending.room(self.text().size());
  if (args.given(0)) {
    if (args.text(0).empty()) throw complaint("split: the separator is empty");
    parts = split_by(self.text(), args.text(0), most, FromRight);
  } else {
    parts = split_by_spaces(self.text(), most, FromRight);
  }
  return list_of(parts, spending);
}

value lines(const value &self, const arguments &given, budget &spending) {
  const bound args("splitlines", given, {"keepends"});
  spending.room(self.text().size());
  return list_of(split_lines(self.text(), args.flag(0)), spending);
}

// The part of the text that start and end leave, counted in characters; nothing when start is behind its end.
std::optional<std::string_view> part_of(std::string_view text, const bound &args) {
  const auto size = static_cast<std::int64_t>(characters(text));
  const auto place = [&](std::size_t at, std::int64_t otherwise) {
    const std::int64_t given = args.given(at) ? args.integer(at) : otherwise;
    return given < 0 ? std::max<std::int64_t>(0, given + size) : given;
  };
  const std::int64_t start = place(1, 0), end = std::min(place(2, size), size);
  if (start > end) return {};
  const std::size_t from = offset_of(text, static_cast<std::size_t>(start));
  return text.substr(from, offset_of(text.substr(from), static_cast<std::size_t>(end - start)));
}

template <bool Start>
value begins(const value &self, const arguments &given, budget &) {
  const bound args(Start ? "startswith" : "endswith", given, {"prefix", "start", "end"}, 1);
  const auto text = part_of(self.text(), args);
  const auto fits = [&](const value &each) {
    if (!each.is_text())
      throw complaint(std::string("startswith and endswith take a string, not ") + type_name(each));
    return text && (Start ? text->starts_with(each.text()) : text->ends_with(each.text()));
  };
  if (!args.get(0)->is(kind::tuple)) return value(fits(*args.get(0)));
  return value(std::any_of(args.get(0)->items().begin(), args.get(0)->items().end(), fits));
}

template <bool FromRight, bool Must>
value found(const value &self, const arguments &given, budget &) {
  const bound args("find", given, {"sub", "start", "end"}, 1);
  const auto text = part_of(self.text(), args);
  const auto at = !text       ? std::string_view::npos
                  : FromRight ? find_last(*text, args.text(0))
                              : find_first(*text, args.text(0));
  if (at == std::string_view::npos) {
    if (Must) throw complaint("index: the string does not hold what is looked for");
    return value(std::int64_t{-1});
  }
  const auto before = static_cast<std::size_t>(text->data() - self.text().data()) + at;
  return value(static_cast<std::int64_t>(characters(self.text().substr(0, before))));
}

value count(const value &self, const arguments &given, budget &) {
  const bound args("count", given, {"sub", "start", "end"}, 1);
  const auto text = part_of(self.text(), args);
  if (!text) return value(std::int64_t{0});
  const std::string_view part = args.text(0);
  if (part.empty()) return value(static_cast<std::int64_t>(characters(*text)) + 1);
  std::int64_t times = 0;
  for (auto at = find_first(*text, part); at != std::string_view::npos;
       at = find_first(*text, part, at + part.size()))
    ++times;
  return value(times);
}

value replaced(const value &self, const arguments &given, budget &spending) {
  const bound args("replace", given, {"old", "new", "count"}, 2);
  return spending.text(replaced(self.text(), args.text(0), args.text(1), args.integer(2, -1), spending));
}

value joined_by(const value &self, const arguments &given, budget &spending) {
  const bound args("join", given, {"iterable"}, 1);
  std::string made;
  bool first = true;
  for (const value &each : items_of(*args.get(0), spending)) {
    if (!each.is_text())
      throw complaint(std::string("join: an item is ") + type_name(each) + ", not a string");
    spending.room(made.size() + self.text().size() + each.text().size());
    if (!first) made += self.text();
    first = false;
    made += each.text();
  }
  return spending.text(std::move(made));
}

template <bool FromRight>
value partition(const value &self, const arguments &given, budget &spending) {
  const bound args("partition", given, {"sep"}, 1);
  const std::string_view text = self.text(), mark = args.text(0);
  if (mark.empty()) throw complaint("partition: the separator is empty");
  const auto at = FromRight ? find_last(text, mark) : find_first(text, mark);
  const auto made = [&](std::string_view part) { return spending.text(std::string(part)); };
  if (at == std::string_view::npos)
    return FromRight ? spending.sequence({made(""), made(""), self}, kind::tuple)
                     : spending.sequence({self, made(""), made("")}, kind::tuple);
  return spending.sequence({made(text.substr(0, at)), made(mark), made(text.substr(at + mark.size()))},
                           kind::tuple);
}

template <bool Prefix>
value removed(const value &self, const arguments &given, budget &spending) {
  const bound args(Prefix ? "removeprefix" : "removesuffix", given, {"part"}, 1);
  std::string_view text = self.text();
  const std::string_view part = args.text(0);
  if (Prefix ? text.starts_with(part) : text.ends_with(part))
    Prefix ? text.remove_prefix(part.size()) : text.remove_suffix(part.size());
  return spending.text(std::string(text));
}

template <side Where>
value padded_to(const value &self, const arguments &given, budget &spending) {
  const bound args("ljust, rjust and center", given, {"width", "fillchar"}, 1);
  return spending.text(padded(self.text(), args.integer(0), args.text(1, " "), Where, spending));
}

value zero_filled(const value &self, const arguments &given, budget &spending) {
  const bound args("zfill", given, {"width"}, 1);
  std::string_view text = self.text();
  const bool sign = text.starts_with('-') || text.starts_with('+');
  std::string made(text.substr(0, sign));
  text.remove_prefix(sign);
  return spending.text(made += padded(text, args.integer(0) - (sign ? 1 : 0), "0", side::left, spending));
}

value formatted_by_fields(const value &self, const arguments &given, budget &spending) {
  return spending.text(filled_fields(self.text(), given, spending));
}

struct text_method_row {
  std::string_view name;
  method call;
};
constexpr std::array text_method_rows{text_method_row{"strip", stripped<true, true>},
                                      text_method_row{"lstrip", stripped<true, false>},
                                      text_method_row{"rstrip", stripped<false, true>},
                                      text_method_row{"split", split<false>},
                                      text_method_row{"rsplit", split<true>},
                                      text_method_row{"splitlines", lines},
                                      text_method_row{"startswith", begins<true>},
                                      text_method_row{"endswith", begins<false>},
                                      text_method_row{"replace", replaced},
                                      text_method_row{"upper", method_changed<upper>},
                                      text_method_row{"lower", method_changed<lower>},
                                      text_method_row{"title", method_changed<title>},
                                      text_method_row{"capitalize", method_changed<capitalized>},
                                      text_method_row{"swapcase", method_changed<swapped_case>},
                                      text_method_row{"join", joined_by},
                                      text_method_row{"find", found<false, false>},
                                      text_method_row{"rfind", found<true, false>},
                                      text_method_row{"index", found<false, true>},
                                      text_method_row{"rindex", found<true, true>},
                                      text_method_row{"count", count},
                                      text_method_row{"partition", partition<false>},
                                      text_method_row{"rpartition", partition<true>},
                                      text_method_row{"removeprefix", removed<true>},
                                      text_method_row{"removesuffix", removed<false>},
                                      text_method_row{"ljust", padded_to<side::right>},
                                      text_method_row{"rjust", padded_to<side::left>},
                                      text_method_row{"center", padded_to<side::both>},
                                      text_method_row{"zfill", zero_filled},
                                      text_method_row{"format", formatted_by_fields}};

}  // namespace

method find_text_method(std::string_view name) {
  for (const text_method_row &each : text_method_rows)
    if (each.name == name) return each.call;
  return nullptr;
}

}  // namespace slipstream::jinja

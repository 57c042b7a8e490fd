#include <array>

#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/text_edits.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

template <std::string (*Change)(std::string_view)>
value changed(const value &self, const arguments &given, budget &spending) {
  const bound none("a filter", given, {});
  const value text = printed(self, spending);
  spending.spend(text.text().size() / 8);
  spending.room(3 * text.text().size());
  return spending.text(Change(text.text()));
}

// The filter starts a word behind white space and opening brackets only, the method behind anything.
std::string title_of_words(std::string_view text) {
  std::string made;
  std::size_t start = 0;
  const auto word = [&](std::size_t end) {
    const std::string_view whole = text.substr(start, end - start);
    const std::size_t first = offset_of(whole, 1);
    made += upper(whole.substr(0, first)) + lower(whole.substr(first));
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    if (c != '-' && c != '(' && c != '{' && c != '[' && c != '<' && !is_space(c)) continue;
    word(from);
    made += text.substr(from, at - from);
    start = at;
  }
  word(text.size());
  return made;
}

value trim(const value &self, const arguments &given, budget &spending) {
  const bound args("trim", given, {"chars"});
  const value text = printed(self, spending);
  if (!args.given(0)) {
    const std::string_view inside = strip(text.text());
    return inside.size() == text.text().size() ? text : spending.text(std::string(inside));
  }
  spending.spend(text.text().size() * (1 + args.text(0).size() / 16) / 8);
  return spending.text(std::string(strip_set(text.text(), args.text(0), true, true)));
}

value replace(const value &self, const arguments &given, budget &spending) {
  const bound args("replace", given, {"old", "new", "count"}, 2);
  const value text = printed(self, spending), old = printed(*args.get(0), spending),
              with = printed(*args.get(1), spending);
  const std::int64_t most = args.given(2) ? args.integer(2) : -1;
  return spending.text(replaced(text.text(), old.text(), with.text(), most, spending));
}

value string(const value &self, const arguments &given, budget &spending) {
  const bound none("string", given, {});
  return self.is(kind::safe_text) ? self : printed(self, spending);
}

value safe(const value &self, const arguments &given, budget &spending) {
  const bound none("safe", given, {});
  const value text = printed(self, spending);
  return spending.text(std::string(text.text()), kind::safe_text);
}

value format(const value &self, const arguments &given, budget &spending) {
  const value form = printed(self, spending);
  if (!given.named.empty() && !given.positional.empty())
    throw complaint("format takes values with names or without");
  if (given.named.empty())
    return formatted(form.text(), spending.sequence(given.positional, kind::tuple), spending);
  std::vector<std::pair<value, value>> entries;
  for (const auto &[name, content] : given.named) entries.emplace_back(spending.text(name), content);
  return formatted(form.text(), spending.map(std::move(entries)), spending);
}

value indent(const value &self, const arguments &given, budget &spending) {
  const bound args("indent", given, {"width", "first", "blank"});
  if (!self.is_text()) throw complaint(std::string("indent of ") + type_name(self));
  std::string before;
  if (args.get(0) && args.get(0)->is_text())
    before = args.text(0);
  else
    before = padded("", args.integer(0, 4), " ", side::left, spending);
  const std::string text = std::string(self.text()) + "\n";
  const bool first = args.flag(1), blank = args.flag(2);
  std::string made;
  bool start = true;
  for (const std::string_view line : split_lines(text, false)) {
    spending.room(made.size() + before.size() + line.size());
    if (!start) made += '\n';
    if (start ? first : blank || !line.empty()) made += before;
    made += line;
    start = false;
  }
  return spending.text(std::move(made));
}

value center(const value &self, const arguments &given, budget &spending) {
  const bound args("center", given, {"width"});
  const value text = printed(self, spending);
  return spending.text(padded(text.text(), args.integer(0, 80), " ", side::both, spending));
}

value truncate(const value &self, const arguments &given, budget &spending) {
  const bound args("truncate", given, {"length", "killwords", "end", "leeway"});
  const std::string_view text = self.is_text() ? self.text() : "", end = args.text(2, "...");
  const auto tail = static_cast<std::int64_t>(characters(end));
  const std::int64_t length = args.integer(0, 255), leeway = args.given(3) ? args.integer(3) : 5;
  if (length < tail || leeway < 0) throw complaint("truncate: the length is less than that of the end");
  if (length_of(self) <= length + leeway) return self;
  if (!self.is_text()) throw complaint(std::string("truncate of ") + type_name(self));
  std::string_view kept = text.substr(0, offset_of(text, static_cast<std::size_t>(length - tail)));
  if (!args.flag(1)) kept = split_by(kept, " ", 1, true).front();
  return spending.text(std::string(kept) += end);
}

value tojson(const value &self, const arguments &given, budget &spending) {
  const bound args("tojson", given, {"ensure_ascii", "indent", "separators", "sort_keys"});
  json_form form;
  form.ascii = args.flag(0);
  form.indented = args.given(1);
  form.sorted = args.flag(3);
  if (form.indented) {
    form.indent = args.get(1)->is_text() ? std::string(args.text(1))
                                         : padded("", args.integer(1), " ", side::left, spending);
    form.item_separator = ",";
  }
  if (args.given(2)) {
    const std::vector<value> marks = items_of(*args.get(2), spending);
    if (marks.size() != 2 || !marks[0].is_text() || !marks[1].is_text())
      throw complaint("tojson: the separators must be two strings");
    form.item_separator = marks[0].text();
    form.key_separator = marks[1].text();
  }
  std::string made;
  print_json(made, self, form, spending);
  return spending.text(std::move(made));
}

constexpr std::array text_filters_rows{filter_row{"upper", changed<upper>},
                                       filter_row{"lower", changed<lower>},
                                       filter_row{"capitalize", changed<capitalized>},
                                       filter_row{"title", changed<title_of_words>},
                                       filter_row{"trim", trim},
                                       filter_row{"replace", replace},
                                       filter_row{"string", string},
                                       filter_row{"safe", safe},
                                       filter_row{"format", format},
                                       filter_row{"indent", indent},
                                       filter_row{"center", center},
                                       filter_row{"truncate", truncate},
                                       filter_row{"tojson", tojson}};

}  // namespace

std::span<const filter_row> text_filters() {
  return text_filters_rows;
}

}  // namespace slipstream::jinja

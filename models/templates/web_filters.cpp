#include <array>
#include <cstdio>

#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"

namespace slipstream::jinja {
namespace {

// What markupsafe writes for characters that mean something in HTML.
std::string escaped(std::string_view text, budget &spending) {
  spending.spend(text.size() / 8);
  spending.room(5 * text.size());
  std::string made;
  for (const char c : text) {
    if (c == '&')
      made += "&amp;";
    else if (c == '<')
      made += "&lt;";
    else if (c == '>')
      made += "&gt;";
    else if (c == '\'')
      made += "&#39;";
    else if (c == '"')
      made += "&#34;";
    else
      made += c;
  }
  return made;
}

// forceescape does it again to what is safe already.
template <bool Again>
value escape(const value &self, const arguments &given, budget &spending) {
  const bound none("escape", given, {});
  if (self.is(kind::safe_text) && !Again) return self;
  std::string text;
  print(text, self, spending);
  return spending.text(escaped(text, spending), kind::safe_text);
}

value xml_attributes(const value &self, const arguments &given, budget &spending) {
  const bound args("xmlattr", given, {"autospace"});
  if (!self.is(kind::map)) throw complaint(std::string("xmlattr of ") + type_name(self));
  std::string made;
  for (const auto &[key, content] : self.map().entries) {
    if (content.is(kind::none) || content.is_undefined()) continue;
    if (!key.is_text()) throw complaint(std::string("xmlattr: a name is ") + type_name(key));
    if (key.text().find_first_of(" \t\n\v\f\r/>=") != std::string_view::npos)
      throw complaint("xmlattr: white space, /, > or = in the name \"" + std::string(key.text()) + "\"");
    std::string text;
    print(text, content, spending);
    if (!made.empty() || args.flag(0, true)) made += ' ';
    made += escaped(key.text(), spending) + "=\"";
    made += content.is(kind::safe_text) ? text : escaped(text, spending);
    made += '"';
    spending.room(made.size());
  }
  return spending.text(std::move(made));
}

// urllib's quote; in queries a slash is quoted, and a space is a plus.
void quote(std::string &into, const value &what, bool query, budget &spending) {
  std::string text;
  print(text, what, spending);
  spending.spend(text.size() / 8);
  spending.room(into.size() + 3 * text.size());
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~").find(c) != std::string_view::npos || (c == '/' && !query);
    std::array<char, 4> hex{};
    std::snprintf(hex.data(), hex.size(), "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    if (plain)
      into += c;
    else if (c == ' ' && query)
      into += '+';
    else
      into += hex.data();
  }
}

value url_encode(const value &self, const arguments &given, budget &spending) {
  const bound none("urlencode", given, {});
  std::string made;
  const bool pairs = self.is(kind::map) || self.is(kind::list) || self.is(kind::tuple) ||
                     self.is(kind::view) || self.is(kind::generator) || self.is(kind::range);
  if (self.is_undefined()) return spending.text("");
  if (!pairs) {
    quote(made, self, false, spending);
    return spending.text(std::move(made));
  }
  const auto add = [&](const value &key, const value &content) {
    if (!made.empty()) made += '&';
    quote(made, key, true, spending);
    made += '=';
    quote(made, content, true, spending);
  };
  if (self.is(kind::map)) {
    for (const auto &[key, content] : self.map().entries) add(key, content);
    return spending.text(std::move(made));
  }
  for (const value &each : items_of(self, spending)) {
    const std::vector<value> pair = items_of(each, spending);
    if (pair.size() != 2) throw complaint("urlencode: an item is no pair");
    add(pair[0], pair[1]);
  }
  return spending.text(std::move(made));
}

value file_size(const value &self, const arguments &given, budget &spending) {
  const bound args("filesizeformat", given, {"binary"});
  if (!self.is_number())
    throw complaint(std::string("filesizeformat of ") + type_name(self) + " is not supported");
  const bool binary = args.flag(0);
  const double base = binary ? 1024 : 1000, bytes = self.as_real();
  if (bytes == 1) return spending.text("1 Byte");
  if (!(bytes < 1e30 && bytes > -1e15)) throw complaint("filesizeformat of a float that is too large");
  std::array<char, 64> text{};
  if (bytes < base) {
    std::snprintf(text.data(), text.size(), "%lld Bytes", static_cast<long long>(bytes));
    return spending.text(text.data());
  }
  constexpr std::array letters{'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'};
  double unit = base * base;
  std::size_t at = 0;
  for (; at + 1 < letters.size() && bytes >= unit; ++at) unit *= base;
  const char letter = binary && at == 0 ? 'K' : letters.at(at);
  std::snprintf(text.data(), text.size(), "%.1f %c%s", base * bytes / unit, letter, binary ? "iB" : "B");
  return spending.text(text.data());
}

constexpr std::array web_filters_rows{
    filter_row{"e", escape<false>},          filter_row{"escape", escape<false>},
    filter_row{"forceescape", escape<true>}, filter_row{"xmlattr", xml_attributes},
    filter_row{"urlencode", url_encode},     filter_row{"filesizeformat", file_size}};

}  // namespace

std::span<const filter_row> web_filters() {
  return web_filters_rows;
}

}  // namespace slipstream::jinja

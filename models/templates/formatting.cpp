#include <cmath>
#include <cstdio>

#include "models/templates/operators.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/text_edits.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

struct directive {
  std::string key;  // %(key)s
  bool keyed = false, left = false, zeros = false, plus = false, space = false;
  std::int64_t width = 0, precision = -1;
  char kind = 's';
};

std::int64_t read_number(std::string_view form, std::size_t &at) {
  std::int64_t number = 0;
  for (; at < form.size() && form[at] >= '0' && form[at] <= '9'; ++at)
    if (number < 100000) number = number * 10 + (form[at] - '0');
  if (number > 10000) throw complaint("a format's width is beyond 10000");
  return number;
}

directive read(std::string_view form, std::size_t &at) {
  directive made;
  if (at < form.size() && form[at] == '(') {
    const auto end = form.find(')', at);
    if (end == std::string_view::npos) throw complaint("a format's %( is not closed");
    made.key = form.substr(at + 1, end - at - 1);
    made.keyed = true;
    at = end + 1;
  }
  for (; at < form.size() && std::string_view("-0+ #").find(form[at]) != std::string_view::npos; ++at) {
    if (form[at] == '#') throw complaint("a format with # is not supported");
    made.left |= form[at] == '-';
    made.zeros |= form[at] == '0';
    made.plus |= form[at] == '+';
    made.space |= form[at] == ' ';
  }
  made.width = read_number(form, at);
  if (at < form.size() && form[at] == '.') made.precision = read_number(form, ++at);
  if (at >= form.size()) throw complaint("a format ends in its middle");
  made.kind = form[at++];
  return made;
}

std::string number_text(const directive &how, const value &given) {
  if (!given.is_number())
    throw complaint(std::string("a format's %") + how.kind + " for " + type_name(given));
  char text[700];
  if (how.kind == 'd' || how.kind == 'i' || how.kind == 'u') {
    if (!given.is_whole() && !(std::abs(given.real()) < 9e18)) throw complaint("a float too large for %d");
    const long long number = given.is_whole() ? given.integer() : static_cast<long long>(given.real());
    std::snprintf(text, sizeof text, "%.*lld", static_cast<int>(std::max<std::int64_t>(how.precision, 1)),
                  number);
    return text;
  }
  if (how.kind == 'x' || how.kind == 'X' || how.kind == 'o') {
    if (!given.is_whole() || given.integer() < 0)
      throw complaint("a format's %x for a negative number or a float");
    const char *form = how.kind == 'x' ? "%llx" : how.kind == 'X' ? "%llX" : "%llo";
    std::snprintf(text, sizeof text, form, static_cast<unsigned long long>(given.integer()));
    return text;
  }
  if (how.precision > 300) throw complaint("a format's precision is beyond 300");
  const std::string form = std::string("%.*") + how.kind;
  std::snprintf(text, sizeof text, form.c_str(), how.precision < 0 ? 6 : static_cast<int>(how.precision),
                given.as_real());
  return text;
}

std::string one(const directive &how, const value &given, budget &spending) {
  std::string made;
  const bool text = how.kind == 's' || how.kind == 'r';
  if (text) {
    how.kind == 's' ? print(made, given, spending) : print_literal(made, given, spending);
    if (how.precision >= 0) made.resize(offset_of(made, static_cast<std::size_t>(how.precision)));
  } else if (std::string_view("diuxXofFeEgG").find(how.kind) != std::string_view::npos) {
    if (how.precision > 600) throw complaint("a format's precision is beyond 600");
    made = number_text(how, given);
    if (!made.starts_with('-') && (how.plus || how.space)) made.insert(0, how.plus ? "+" : " ");
  } else {
    throw complaint(std::string("the format %") + how.kind + " is not supported");
  }
  const bool zeros = how.zeros && !how.left && !text;
  if (!zeros) return padded(made, how.width, " ", how.left ? side::right : side::left, spending);
  const bool sign = made.starts_with('-') || made.starts_with('+') || made.starts_with(' ');
  return made.substr(0, sign) +
         padded(std::string_view(made).substr(sign), how.width - (sign ? 1 : 0), "0", side::left, spending);
}

}  // namespace

value formatted(std::string_view form, const value &given, budget &spending) {
  std::string made;
  std::size_t next = 0;
  bool keyed = false;
  const bool several = given.is(kind::tuple);
  for (std::size_t at = 0; at < form.size();) {
    const auto mark = std::min(form.find('%', at), form.size());
    made += form.substr(at, mark - at);
    if (mark == form.size()) break;
    at = mark + 1;
    const directive how = read(form, at);
    if (how.kind == '%') {
      made += '%';
      continue;
    }
    spending.spend();
    spending.room(made.size());
    keyed |= how.keyed;
    if (how.keyed) {
      if (!given.is(kind::map)) throw complaint("a format with %(names) needs a dict");
      const value *found = find(given.map(), how.key);
      if (!found) throw complaint("a format's name \"" + how.key + "\" is not in the dict");
      made += one(how, *found, spending);
      continue;
    }
    if (several ? next >= given.items().size() : next > 0) throw complaint("a format has too few values");
    made += one(how, several ? given.items()[next] : given, spending);
    ++next;
  }
  const bool mapped = given.is(kind::map) || given.is(kind::list) || given.is(kind::range) ||
                      given.is_undefined() || keyed;  // Python lets these be left over
  if (several ? next < given.items().size() : next == 0 && !mapped)
    throw complaint("a format has too many values");
  return spending.text(std::move(made));
}

}  // namespace slipstream::jinja

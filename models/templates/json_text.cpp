#include <algorithm>
#include <cmath>

#include "models/templates/compare.hpp"
#include "models/templates/printing.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

void append_code(std::string &into, unsigned code) {
  constexpr char digits[] = "0123456789abcdef";
  into += "\\u";
  for (int i = 3; i >= 0; --i) into += digits[code >> (4 * i) & 15U];
}

void append_ascii(std::string &into, char32_t c) {
  if (c < 0x10000) return append_code(into, c);
  append_code(into, 0xd800 + ((c - 0x10000) >> 10U));
  append_code(into, 0xdc00 + ((c - 0x10000) & 0x3ffU));
}

class json_writer {
 public:
  json_writer(std::string &into, const json_form &form, budget &spending)
      : into_(into), form_(form), spending_(spending) {}

  void write(const value &what) {
    spending_.spend();
    spending_.room(into_.size());
    switch (what.what()) {
      case kind::none:
        into_ += "null";
        break;
      case kind::boolean:
        into_ += what.integer() ? "true" : "false";
        break;
      case kind::integer:
        into_ += std::to_string(what.integer());
        break;
      case kind::real:
        write_real(what.real());
        break;
      case kind::text:
        write_text(what.text());
        break;
      case kind::list:
      case kind::tuple:
        write_list(what.items());
        break;
      case kind::map:
        write_map(what.map());
        break;
      default:
        throw complaint(std::string("tojson cannot write ") + type_name(what));
    }
  }

 private:
  void write_real(double number) {
    if (std::isnan(number))
      into_ += "NaN";
    else if (std::isinf(number))
      into_ += number < 0 ? "-Infinity" : "Infinity";
    else
      print_real(into_, number);
  }

  void write_text(std::string_view text) {
    spending_.spend(text.size() / 16);
    into_ += '"';
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      constexpr std::string_view special = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
      if (const auto found = special.find(c); found != std::string_view::npos)
        (into_ += '\\') += letters[found], ++at;
      else if (static_cast<unsigned char>(c) < 0x20)
        append_code(into_, static_cast<unsigned char>(c)), ++at;
      else if (form_.ascii && static_cast<unsigned char>(c) >= 0x7f && c != 0x7f)
        append_ascii(into_, next_character(text, at));
      else
        into_ += c, ++at;
    }
    into_ += '"';
  }

  void line(std::size_t depth) {
    if (!form_.indented) return;
    into_ += '\n';
    spending_.room(into_.size() + depth * form_.indent.size());
    for (std::size_t i = 0; i < depth; ++i) into_ += form_.indent;
  }

  void write_list(const std::vector<value> &items) {
    if (items.empty()) return void(into_ += "[]");
    into_ += '[';
    ++depth_;
    for (const value &each : items) {
      if (&each != &items.front()) into_ += form_.item_separator;
      line(depth_);
      write(each);
    }
    line(--depth_);
    into_ += ']';
  }

  void write_key(const value &key) {
    if (key.is_text()) return write_text(key.text());
    if (key.is(kind::tuple)) throw complaint("tojson cannot write a tuple as a key");
    into_ += '"';
    write(key);
    into_ += '"';
  }

  void write_map(const map_object &map) {
    if (map.entries.empty()) return void(into_ += "{}");
    std::vector<const std::pair<value, value> *> entries;
    for (const auto &each : map.entries) entries.push_back(&each);
    if (form_.sorted)
      std::stable_sort(entries.begin(), entries.end(), [&](const auto *a, const auto *b) {
        return order(a->first, b->first, spending_) < 0;
      });
    into_ += '{';
    ++depth_;
    for (const auto *each : entries) {
      if (each != entries.front()) into_ += form_.item_separator;
      line(depth_);
      write_key(each->first);
      into_ += form_.key_separator;
      write(each->second);
    }
    line(--depth_);
    into_ += '}';
  }

  std::string &into_;
  const json_form &form_;
  budget &spending_;
  std::size_t depth_ = 0;
};

}  // namespace

void print_json(std::string &into, const value &what, const json_form &form, budget &spending) {
  json_writer(into, form, spending).write(what);
}

}  // namespace slipstream::jinja

#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/topology/resolved.hpp"
#include "runtime/topology/settings.hpp"

/// The keys of a TOML table are listed once, for both directions (runtime/topology/table_keys.hpp): a
/// table_reader takes a value from the file, or leaves the one that is there where the key is absent; a
/// table_writer writes all of them.
namespace slipstream {

/// The words that a key may have and what they stand for, the default first.
template <class T>
using words = std::vector<std::pair<std::string, T>>;

template <class T>
const std::string &word_of(const words<T> &all, const T &value) {
  return std::find_if(all.begin(), all.end(), [&](const auto &each) { return each.second == value; })->first;
}

template <class T>
const T &value_of(const std::string &word, const words<T> &all) {
  return std::find_if(all.begin(), all.end(), [&](const auto &each) { return each.first == word; })->second;
}
template <class T>
std::vector<std::string> names_of(const words<T> &all) {
  std::vector<std::string> names;
  for (const auto &each : all) names.push_back(each.first);
  return names;
}

class table_reader {
 public:
  explicit table_reader(settings &from) : table(from) {}

  void required_text(const std::string &key, std::string &x) { x = table.required_text(key); }
  void text(const std::string &key, std::string &x) { x = table.text(key, x); }
  /// Read like the keys above. They are written only where they are not empty and not 0.
  void text_if_any(const std::string &key, std::string &x) { text(key, x); }
  template <class Integer>
  void integer(const std::string &key, Integer &x, std::int64_t least,
               std::int64_t most = settings::highest) {
    x = static_cast<Integer>(table.integer(key, static_cast<std::int64_t>(x), least, most));
  }
  void required_integer(const std::string &key, std::int64_t &x, std::int64_t least, std::int64_t most) {
    x = table.required_integer(key, least, most);
  }
  void number(const std::string &key, double &x, double least, double most = settings::endless) {
    x = table.number(key, x, least, most);
  }
  void required_number(const std::string &key, double &x, double least) {
    x = table.required_number(key, least);
  }
  void optional_number(const std::string &key, std::optional<double> &x) {
    if (table.has(key)) x = table.required_number(key);
  }
  void flag(const std::string &key, bool &x) { x = table.flag(key, x); }
  void texts(const std::string &key, std::vector<std::string> &x) { x = table.texts(key); }
  template <class T>
  void choice(const std::string &key, T &x, const words<T> &all) {
    x = value_of(table.choice(key, names_of(all)), all);
  }
  template <class T>
  void required_choice(const std::string &key, T &x, const words<T> &all) {
    x = value_of(table.required_choice(key, names_of(all)), all);
  }
  void required_choice(const std::string &key, std::string &x, const std::vector<std::string> &names) {
    x = table.required_choice(key, names);
  }
  void integer_if_any(const std::string &key, std::int64_t &x, std::int64_t least, std::int64_t most) {
    integer(key, x, least, most);
  }
  void number_if_any(const std::string &key, double &x, double least, double most) {
    number(key, x, least, most);
  }
  /// Refuses what was read.
  void require(bool good, const std::string &key, std::string_view message) {
    if (!good) table.fail(key, message);
  }
  /// What a key that is absent has, where that hangs on the keys before it.
  template <class T>
  void otherwise(T &x, const T &value) {
    x = value;
  }

  settings &table;
};

class table_writer {
 public:
  /// A new table.
  void table(const std::string &path) { out += (out.empty() ? "[" : "\n[") + path + "]\n"; }
  void line(const std::string &key, const std::string &value) { out += key + " = " + value + "\n"; }

  void text(const std::string &key, const std::string &x) { line(key, write_text(x)); }
  void required_text(const std::string &key, const std::string &x) { text(key, x); }
  void text_if_any(const std::string &key, const std::string &x) {
    if (!x.empty()) text(key, x);
  }
  template <class Integer>
  void integer(const std::string &key, Integer x, std::int64_t = 0, std::int64_t = 0) {
    line(key, std::to_string(static_cast<std::int64_t>(x)));
  }
  void required_integer(const std::string &key, std::int64_t x, std::int64_t = 0, std::int64_t = 0) {
    integer(key, x);
  }
  void number(const std::string &key, double x, double = 0, double = 0) { line(key, write_number(x)); }
  void flag(const std::string &key, bool x) { line(key, x ? "true" : "false"); }
  void required_number(const std::string &key, double x, double) { number(key, x); }
  void optional_number(const std::string &key, const std::optional<double> &x) {
    if (x) number(key, *x);
  }
  void integer_if_any(const std::string &key, std::int64_t x, std::int64_t, std::int64_t) {
    if (x != 0) integer(key, x);
  }
  void number_if_any(const std::string &key, double x, double, double) {
    if (x != 0) number(key, x);
  }
  void texts(const std::string &key, const std::vector<std::string> &x) {
    std::string list;
    for (const auto &each : x) list += (list.empty() ? "" : ", ") + write_text(each);
    line(key, "[" + list + "]");
  }
  template <class T>
  void choice(const std::string &key, const T &x, const words<T> &all) {
    text(key, word_of(all, x));
  }
  template <class T>
  void required_choice(const std::string &key, const T &x, const words<T> &all) {
    choice(key, x, all);
  }
  void required_choice(const std::string &key, const std::string &x, const std::vector<std::string> &) {
    text(key, x);
  }
  void require(bool, const std::string &, std::string_view) {}
  template <class T>
  void otherwise(const T &, const T &) {}
  /// What was written, as a table in one line.
  std::string in_line() const {
    std::string text;
    for (const char c : out.substr(0, out.size() - 1))
      text += c == '\n' ? std::string(", ") : std::string(1, c);
    return "{ " + text + " }";
  }

  std::string out;
};

}  // namespace slipstream

#pragma once

#include "runtime/journal/fields.hpp"

/// How a field lies in the bytes where its type alone does not say, and what is checked once it is read.
namespace slipstream::as {

/// A number as it lies in memory.
template <class T>
struct fixed : field_form {
  explicit fixed(T &x) : value(x) {}
  void write(auto &f) const { f.bytes.put(value); }
  void read(auto &f) const { value = f.bytes.template get<T>(); }
  static std::size_t shortest() { return sizeof(T); }
  T &value;
};

/// A number that is refused with `what` where it is not from `least` to `most`.
template <class T>
struct within : field_form {
  within(T &x, std::int64_t from, std::int64_t to, const char *fault)
      : value(x), least(from), most(to), what(fault) {}
  void write(auto &f) const { f(value); }
  void read(auto &f) const {
    f(value);
    if (std::cmp_less(value, least) || std::cmp_greater(value, most)) throw run_error(what);
  }
  static std::size_t shortest() { return shortest_length<std::remove_const_t<T>>(own_fields{}); }
  T &value;
  std::int64_t least, most;
  const char *what;
};

/// One of an enumeration, a byte; refused with `what` where it is beyond `last`.
template <class T>
struct one_up_to : field_form {
  one_up_to(T &x, std::remove_const_t<T> greatest, const char *fault)
      : value(x), last(greatest), what(fault) {}
  void write(auto &f) const { f.bytes.put(static_cast<std::uint8_t>(value)); }
  void read(auto &f) const {
    const auto number = f.bytes.template get<std::uint8_t>();
    if (number > static_cast<std::uint8_t>(last)) throw run_error(what);
    value = static_cast<T>(number);
  }
  static std::size_t shortest() { return 1; }
  T &value;
  std::remove_const_t<T> last;
  const char *what;
};

/// A list of small numbers as differences.
template <class List>
struct differences : field_form {
  explicit differences(List &x) : list(x) {}
  void write(auto &f) const { f.bytes.numbers(list); }
  void read(auto &f) const { list = f.bytes.template numbers<typename List::value_type>(); }
  static std::size_t shortest() { return 1; }
  List &list;
};

/// Stretches of equal numbers: no more of them than there are tokens, which were read before.
template <class List, class Tokens>
struct stretches : field_form {
  stretches(List &x, Tokens &beside) : list(x), tokens(beside) {}
  void write(auto &f) const { f.bytes.runs(list); }
  void read(auto &f) const { list = f.bytes.runs(tokens.size()); }
  static std::size_t shortest() { return 1; }
  List &list;
  Tokens &tokens;
};

/// A record behind a pointer that may be null.
template <class Pointer>
struct perhaps : field_form {
  explicit perhaps(Pointer &x) : pointer(x) {}
  void write(auto &f) const {
    f(pointer != nullptr);
    if (pointer) f(pointer);
  }
  void read(auto &f) const {
    if (f.flag()) f(pointer);
  }
  static std::size_t shortest() { return 1; }
  Pointer &pointer;
};

/// A record, or records in a list or behind a pointer, with the fields that `how` lists: for a type that lies
/// in other ways elsewhere.
template <class T, class How>
struct listed_by : field_form {
  listed_by(T &x, How list) : value(x), how(list) {}
  void write(auto &f) const { f.put(value, how); }
  void read(auto &f) const { f.take(value, how); }
  std::size_t shortest() const { return shortest_length<std::remove_const_t<T>>(how); }
  T &value;
  How how;
};

/// Which alternative of a variant there is; its content() comes later. Refused with `what` where there is no
/// such one.
template <class Variant>
struct kind : field_form {
  kind(Variant &x, const char *fault) : variant(x), what(fault) {}
  void write(auto &f) const { f.put_kind(variant); }
  void read(auto &f) const { f.take_kind(variant, what); }
  static std::size_t shortest() { return 1; }
  Variant &variant;
  const char *what;
};
template <class Variant>
struct content : field_form {
  explicit content(Variant &x) : variant(x) {}
  void write(auto &f) const { f.put_content(variant, own_fields{}); }
  void read(auto &f) const { f.take_content(variant, own_fields{}); }
  static std::size_t shortest() { return 0; }
  Variant &variant;
};

/// No bytes: called once what stands before it has been read.
template <class Check>
struct checked : field_form {
  explicit checked(Check call) : check(call) {}
  void write(auto &) const {}
  void read(auto &) const { check(); }
  static std::size_t shortest() { return 0; }
  Check check;
};

}  // namespace slipstream::as

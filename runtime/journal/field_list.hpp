#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

/// A record names its fields once, in the order in which they lie in the bytes, for both directions:
///
///     void fields(auto &f, of<run_closed> auto &x) {
///       f(x.version, x.status);
///     }
///
/// `f` is a field_writer, a field_reader, or what counts the fewest bytes of a record. A type says how its
/// values lie: integers of 64 bits and the sizes of lists take as many bytes as they need, other numbers lie
/// as in memory, and lists of integers of 64 bits hold differences. Whatever else there is stands in
/// runtime/journal/field_forms.hpp.
namespace slipstream {

template <class T, class Record>
concept of = std::same_as<std::remove_const_t<T>, Record>;

/// Base of what stands for a field whose type does not say how it lies. It has write(f), read(f) and
/// shortest().
struct field_form {};

/// The fields of a record whose type has one list of them.
struct own_fields {
  void operator()(auto &f, auto &x) const { fields(f, x); }
};

template <class T>
concept any_length_integer = std::same_as<T, std::int64_t> || std::same_as<T, std::uint64_t>;
template <class T>
concept any_length_list = requires(T x) {
  x.clear();
  x.size();
};  // a text, a vector or a map

/// The fewest bytes that a value may take: a list of a claimed size must have that many times as many left.
template <class T, class How>
std::size_t shortest_length(How how);

class shortest_record {
 public:
  void operator()(const auto &...each) { (add(each), ...); }
  std::size_t bytes = 0;

 private:
  template <class T>
  void add(const T &x) {
    if constexpr (std::derived_from<T, field_form>)
      bytes += x.shortest();
    else
      bytes += shortest_length<T>(own_fields{});
  }
};

template <class T>
struct parts_of {};  // of a value that is made up of others without a length of its own
template <class A, class B>
struct parts_of<std::pair<A, B>> {
  static std::size_t shortest(auto how) { return shortest_length<A>(how) + shortest_length<B>(how); }
};
template <class T>
struct parts_of<std::shared_ptr<const T>> {
  static std::size_t shortest(auto how) { return shortest_length<T>(how); }
};
template <class T>
struct parts_of<std::optional<T>> {
  static std::size_t shortest(auto) { return 1; }
};
template <class... T>
struct parts_of<std::variant<T...>> {
  static std::size_t shortest(auto) { return 1; }
};
template <std::size_t Size>
struct parts_of<std::array<unsigned char, Size>> {
  static std::size_t shortest(auto) { return Size; }
};

template <class T, class How>
std::size_t shortest_length(How how) {
  if constexpr (any_length_integer<T> || any_length_list<T>) {
    return 1;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return sizeof(T);
  } else if constexpr (requires { parts_of<T>::shortest(how); }) {
    return parts_of<T>::shortest(how);
  } else if constexpr (std::is_empty_v<T>) {
    return 0;
  } else {
    static const std::size_t length = [how] {
      T x{};
      shortest_record counted;
      how(counted, x);
      return counted.bytes;
    }();
    return length;
  }
}

}  // namespace slipstream

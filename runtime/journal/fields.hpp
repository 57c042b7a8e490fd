#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "models/error.hpp"
#include "runtime/journal/bytes.hpp"
#include "runtime/journal/field_list.hpp"

/// What writes and reads the lists of fields (runtime/journal/field_list.hpp).
namespace slipstream {

class field_writer {
 public:
  explicit field_writer(byte_writer &to) : bytes(to) {}
  void operator()(const auto &...each) { (put(each, own_fields{}), ...); }

  /// `how` lists the fields of a record, or of each record in a list.
  template <class T, class How>
  void put(const T &x, How how) {
    if constexpr (std::derived_from<T, field_form>)
      x.write(*this);
    else if constexpr (std::same_as<T, std::int64_t>)
      bytes.number(x);
    else if constexpr (std::same_as<T, std::uint64_t>)
      bytes.count(x);
    else if constexpr (std::same_as<T, bool>)
      bytes.put(static_cast<std::uint8_t>(x));
    else if constexpr (std::is_arithmetic_v<T>)
      bytes.put(x);
    else if constexpr (std::same_as<T, std::string>)
      bytes.text(x);
    else if constexpr (!std::is_empty_v<T>)
      how(*this, x);
  }
  template <class T, class How>
  void put(const std::vector<T> &list, How how) {
    if constexpr (std::same_as<T, float>) {
      bytes.floats(list);
    } else if constexpr (any_length_integer<T>) {
      bytes.numbers(list);
    } else if constexpr (std::same_as<T, std::uint8_t>) {
      bytes.text({reinterpret_cast<const char *>(list.data()), list.size()});
    } else {
      bytes.count(list.size());
      for (const T &each : list) put(each, how);
    }
  }
  template <class T, class How>
  void put(const std::map<std::string, T> &entries, How how) {
    bytes.count(entries.size());
    for (const auto &entry : entries) put(entry, how);
  }
  template <class A, class B, class How>
  void put(const std::pair<A, B> &both, How how) {
    put(both.first, how);
    put(both.second, how);
  }
  template <std::size_t Size, class How>
  void put(const std::array<unsigned char, Size> &id, How) {
    for (const unsigned char byte : id) bytes.put(byte);
  }
  template <class T, class How>
  void put(const std::optional<T> &x, How how) {
    put(x.has_value(), how);
    if (x) put(*x, how);
  }
  template <class T, class How>
  void put(const std::shared_ptr<T> &x, How how) {
    put(*x, how);
  }
  template <class... T, class How>
  void put(const std::variant<T...> &x, How how) {
    put_kind(x);
    put_content(x, how);
  }
  void put_kind(const auto &variant) { bytes.put(static_cast<std::uint8_t>(variant.index())); }
  void put_content(const auto &variant, auto how) {
    std::visit([&](const auto &each) { put(each, how); }, variant);
  }

  byte_writer &bytes;
};

/// Throws run_error for bytes that no writer writes. Asks for no more memory than a small multiple of their
/// number.
class field_reader {
 public:
  explicit field_reader(byte_reader &from) : bytes(from) {}
  void operator()(auto &&...each) { (take(each, own_fields{}), ...); }

  template <class T, class How>
  void take(T &x, How how) {
    if constexpr (std::derived_from<T, field_form>)
      x.read(*this);
    else if constexpr (std::same_as<T, std::int64_t>)
      x = bytes.number();
    else if constexpr (std::same_as<T, std::uint64_t>)
      x = bytes.count();
    else if constexpr (std::same_as<T, bool>)
      x = flag();
    else if constexpr (std::is_arithmetic_v<T>)
      x = bytes.get<T>();
    else if constexpr (std::same_as<T, std::string>)
      x = bytes.text();
    else if constexpr (!std::is_empty_v<T>)
      how(*this, x);
  }
  template <class T, class How>
  void take(std::vector<T> &list, How how) {
    if constexpr (std::same_as<T, float>) {
      list = bytes.floats();
    } else if constexpr (any_length_integer<T>) {
      list = bytes.numbers<T>();
    } else if constexpr (std::same_as<T, std::uint8_t>) {
      const std::string text = bytes.text();
      list.assign(text.begin(), text.end());
    } else {
      for (auto left = bytes.items(shortest_length<T>(how)); left > 0; --left) take(list.emplace_back(), how);
    }
  }
  template <class T, class How>
  void take(std::map<std::string, T> &entries, How how) {
    for (auto left = bytes.items(1 + shortest_length<T>(how)); left > 0; --left) {
      std::pair<std::string, T> entry;
      take(entry, how);
      if (!entries.insert(std::move(entry)).second) throw run_error("a name is there twice");
    }
  }
  template <class A, class B, class How>
  void take(std::pair<A, B> &both, How how) {
    take(both.first, how);
    take(both.second, how);
  }
  template <std::size_t Size, class How>
  void take(std::array<unsigned char, Size> &id, How) {
    for (unsigned char &byte : id) byte = bytes.get<unsigned char>();
  }
  template <class T, class How>
  void take(std::optional<T> &x, How how) {
    if (flag()) take(x.emplace(), how);
  }
  template <class T, class How>
  void take(std::shared_ptr<const T> &x, How how) {
    auto made = std::make_shared<T>();
    take(*made, how);
    x = std::move(made);
  }
  template <class... T, class How>
  void take(std::variant<T...> &x, How how) {
    take_kind(x, "a message of an unknown kind");
    take_content(x, how);
  }
  /// The variant then holds an alternative of that kind, which take_content() fills.
  void take_kind(auto &variant, const char *unknown) {
    begin<0>(variant, bytes.get<std::uint8_t>(), unknown);
  }
  void take_content(auto &variant, auto how) {
    std::visit([&](auto &each) { take(each, how); }, variant);
  }
  bool flag() {
    const auto value = bytes.get<std::uint8_t>();
    if (value > 1) throw run_error("a flag is neither 0 nor 1");
    return value != 0;
  }

  byte_reader &bytes;

 private:
  template <std::size_t I, class... T>
  static void begin(std::variant<T...> &variant, std::size_t index, const char *unknown) {
    if constexpr (I < sizeof...(T)) {
      if (index != I) return begin<I + 1>(variant, index, unknown);
      variant.template emplace<I>();
    } else {
      throw run_error(unknown);
    }
  }
};

template <class Record, class How = own_fields>
std::string write_fields(const Record &record, How how = {}) {
  byte_writer out;
  field_writer(out).put(record, how);
  return out.take();
}

/// Throws run_error for bytes that are no such record, with `longer` where some are left.
template <class Record, class How = own_fields>
Record read_fields(std::string_view bytes, const char *longer, How how = {}) {
  byte_reader in(bytes);
  Record record;
  field_reader(in).take(record, how);
  if (!in.at_end()) throw run_error(longer);
  return record;
}

}  // namespace slipstream

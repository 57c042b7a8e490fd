#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/error.hpp"

/// Little-endian bytes, bounds checked on reading. Not CAF's serialiser: what is written here outlives the
/// program.
namespace slipstream {

class byte_writer {
 public:
  template <class T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes_.append(raw, sizeof(T));
  }
  /// Seven bits a byte, least first: small numbers take one byte.
  void count(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  /// Signed numbers near zero stay small.
  void number(std::int64_t value) {
    count(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  void text(std::string_view value) {
    count(value.size());
    bytes_.append(value);
  }
  void floats(const std::vector<float> &values) {
    count(values.size());
    bytes_.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  }
  /// As differences: token ids, versions and draws that follow one another are near each other.
  template <class T>
  void numbers(const std::vector<T> &values) {
    count(values.size());
    std::int64_t last = 0;
    for (const T value : values) {
      number(static_cast<std::int64_t>(value) - last);
      last = static_cast<std::int64_t>(value);
    }
  }
  /// As stretches of equal values: the versions along an answer seldom change.
  void runs(const std::vector<std::int64_t> &values) {
    count(values.size());
    std::int64_t last = 0;
    for (std::size_t i = 0; i < values.size();) {
      std::size_t end = i;
      while (end < values.size() && values[end] == values[i]) ++end;
      number(values[i] - last);
      count(end - i);
      last = values[i];
      i = end;
    }
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Throws run_error when the bytes end too early or a number is out of range.
class byte_reader {
 public:
  explicit byte_reader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, next(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::uint64_t count() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(next(1).front());
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw run_error("a number is too long");
  }
  std::int64_t number() {
    const std::uint64_t value = count();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  std::string text() { return std::string(next(items(1))); }
  std::vector<float> floats() {
    const std::size_t size = items(sizeof(float));
    std::vector<float> values(size);
    if (size > 0) std::memcpy(values.data(), next(size * sizeof(float)).data(), size * sizeof(float));
    return values;
  }
  template <class T>
  std::vector<T> numbers() {
    std::vector<T> values(items(1));
    std::int64_t last = 0;
    for (T &value : values) value = static_cast<T>(last += number());
    return values;
  }
  /// How many items follow, of at least `least` bytes each: no more than the bytes that are left can hold.
  std::uint64_t items(std::size_t least) {
    const std::uint64_t items = count();
    if (items > bytes_.size() / least) throw run_error("a list is longer than its record");
    return items;
  }
  /// `longest`: entries that there may be; a few bytes could speak of any number of them.
  std::vector<std::int64_t> runs(std::uint64_t longest) {
    const std::uint64_t size = count();
    if (size > longest) throw run_error("a list is longer than any that is written");
    std::vector<std::int64_t> values;
    for (std::int64_t value = 0; values.size() < size;) {
      value += number();
      const std::uint64_t length = count();
      if (length == 0 || length > size - values.size())
        throw run_error("a stretch of a list has a wrong length");
      values.insert(values.end(), length, value);
    }
    return values;
  }
  bool at_end() const { return bytes_.empty(); }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view next(std::size_t size) {
    if (size > bytes_.size()) throw run_error("a record ends too early");
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }

  std::string_view bytes_;
};

}  // namespace slipstream

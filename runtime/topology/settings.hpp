#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/topology/document.hpp"

namespace slipstream {

/// Reads one table of a document, key by key, with types and ranges. Every error is an input_error naming
/// file, line, column, table, key and the mend. Call `finish` last: it refuses keys that nobody asked for.
class settings {
 public:
  static constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
  static constexpr double endless = std::numeric_limits<double>::infinity();

  /// `also_known` are keys that other code reads: finish() accepts them and lists them among the known keys.
  explicit settings(node table, std::vector<std::string> also_known = {});

  std::int64_t integer(const std::string &key, std::int64_t otherwise, std::int64_t least = lowest,
                       std::int64_t most = highest);
  std::int64_t required_integer(const std::string &key, std::int64_t least = lowest,
                                std::int64_t most = highest);

  /// A finite number; whole numbers may be written without a point.
  double number(const std::string &key, double otherwise, double least = -endless, double most = endless);
  double required_number(const std::string &key, double least = -endless, double most = endless);

  bool flag(const std::string &key, bool otherwise);

  std::string text(const std::string &key, const std::string &otherwise);
  std::string required_text(const std::string &key);  ///< not empty

  /// One of `options`, the first of which is the default.
  std::string choice(const std::string &key, const std::vector<std::string> &options);
  std::string required_choice(const std::string &key, const std::vector<std::string> &options);

  /// A string, or an array of strings; empty when the key is absent.
  std::vector<std::string> texts(const std::string &key);
  std::vector<std::string> required_texts(const std::string &key);  ///< at least one

  bool has(const std::string &key);
  const node *find(const std::string &key);  ///< the raw value, or null; counts as asked for
  /// Where the value of `key` stands, or the table when it is absent.
  source_position at(const std::string &key) const;
  /// Throws input_error at `key`: "FILE:LINE:COL: error: [table] MESSAGE".
  [[noreturn]] void fail(const std::string &key, std::string_view message) const;

  /// Throws input_error for the first key never asked for, with a suggestion and the list of known keys.
  void finish() const;

  /// Keys that were asked for so far.
  const std::vector<std::string> &asked() const { return asked_; }

  /// The table as read so far: given values and, where they were absent, the defaults.
  const node &resolved() const { return resolved_; }

 private:
  const node *require(const std::string &key, std::string_view example);
  void keep_node(const std::string &key, node value);
  template <class Value>
  Value keep(const std::string &key, Value value);

  node table_;
  node resolved_;
  std::vector<std::string> asked_;
  std::vector<std::string> also_known_;
};

/// "the string \"8\"", "the integer 3", "a table" … for messages.
std::string described(const node &value);

}  // namespace slipstream

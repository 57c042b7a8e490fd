#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace slipstream {

/// Where a value stands: line and column (from 1) of a file, or line 0 for what has none (a command-line
/// override).
struct source_position {
  std::string file;
  int line = 0;
  int column = 0;
};

/// "FILE:LINE:COL", or only the file's name at line 0.
std::string to_string(const source_position &at);

/// Throws input_error "FILE:LINE:COL: error: MESSAGE".
[[noreturn]] void fail_at(const source_position &at, std::string_view message);

struct node_entry;

/// A value of a TOML document with its place. Tables keep the order of the file. A default node is an empty
/// table.
struct node {
  using array = std::vector<node>;
  using table = std::vector<node_entry>;

  std::variant<table, array, std::string, std::int64_t, double, bool> value;
  source_position at;
  std::string path;  ///< dotted keys from the root ("actors.sampler"); empty for the root and inside arrays

  const table *as_table() const { return std::get_if<table>(&value); }
  const array *as_array() const { return std::get_if<array>(&value); }
  const std::string *as_text() const { return std::get_if<std::string>(&value); }
  const std::int64_t *as_integer() const { return std::get_if<std::int64_t>(&value); }

  /// The value of `key`, or null when there is none or this is no table.
  const node *find(std::string_view key) const;
};

struct node_entry {
  std::string key;
  source_position at;  ///< of the key
  node content;
};

/// Parses TOML text; `file` names it in messages. Throws input_error "FILE:LINE:COL: error: …".
node parse_document(std::string_view text, const std::string &file);

/// Reads and parses a TOML file. Throws input_error, also when the file cannot be read or is over 1 MiB.
node read_document(const std::filesystem::path &file);

/// Sets one value from "table.key=value"; tables on the way are made where missing. The value is read as
/// TOML; a bare word that is no TOML value is a string. The position of what was set reads "--set table.key".
/// An old and a present name of a key mean the same value here.
void apply_override(node &root, std::string_view assignment);

/// The dotted key of "table.key=value", split. Throws input_error when the text has not that form.
std::vector<std::string> override_path(std::string_view assignment);

}  // namespace slipstream

#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizers/chat.hpp"

namespace slipstream {

/// Names of fields: ours to the file's.
using field_names = std::map<std::string, std::string>;

/// One line of a dataset as an object whose fields have our names; every complaint names file and line.
class row_reader {
 public:
  /// Parses a line. Throws input_error "FILE:LINE: error: …", also when brackets are nested deeply.
  row_reader(std::string_view line, const std::filesystem::path &file, std::size_t number,
             const field_names &names);

  /// What the file holds, for messages.
  void expect(std::string_view holds) { holds_ = holds; }
  [[noreturn]] void fail(std::string_view message) const;
  [[noreturn]] void fail_missing(std::string_view field) const;
  bool has(std::string_view field) const;
  bool is_list(std::string_view field) const;
  std::string text(std::string_view field) const;
  std::string text_or_nothing(std::string_view field) const;  ///< "" where the field is absent or null
  double number(std::string_view field) const;
  /// [{"role": …, "content": …}, …], at least one; what else a message holds stays beside its content.
  std::vector<chat_message> messages(std::string_view field) const;
  /// The field's name in the file, in quotes.
  std::string named(std::string_view field) const;
  /// The line's tools and documents as a JSON object; empty without any.
  std::string extras() const;

 private:
  const nlohmann::ordered_json &value(std::string_view field) const;
  chat_message message(const nlohmann::ordered_json &given, std::string_view field, std::size_t index) const;
  bool trains(const nlohmann::ordered_json &given, const std::string &where) const;

  const std::filesystem::path &file_;
  std::size_t number_;
  const field_names &names_;
  std::string_view holds_;
  nlohmann::ordered_json row_;  // templates write what it holds in its order
};

}  // namespace slipstream

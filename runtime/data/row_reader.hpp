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

/// Names of fields: ours to the file's. A dot leads into an object or a list: reward_model.ground_truth,
/// answers.0.
using field_names = std::map<std::string, std::string>;

/// One row of a dataset as an object whose fields have our names; every complaint names file and line.
class row_reader {
 public:
  /// Parses a row, which stands at line `number` and, in an array, at `column`. Throws input_error
  /// "FILE:LINE: error: …", also for a name that is given twice, and when brackets are nested deeply.
  row_reader(std::string_view text, const std::filesystem::path &file, std::size_t number,
             const field_names &names, std::size_t column = 0);

  /// What the file holds, for messages.
  void expect(std::string_view holds) { holds_ = holds; }
  [[noreturn]] void fail(std::string_view message) const;
  [[noreturn]] void fail_missing(std::string_view field) const;
  bool has(std::string_view field) const;
  bool says(
      std::string_view field) const;  ///< whether the field is there, and not an empty text, list or object
  bool is_list(std::string_view field) const;
  bool is_object(std::string_view field) const;
  std::string text(std::string_view field) const;
  std::string text_or_nothing(std::string_view field) const;  ///< "" where the field is absent or null
  std::string answer() const;  ///< "answer" as text_or_nothing, or the digits of a whole number
  double number(std::string_view field) const;  ///< true is 1, false is 0
  /// A list of texts.
  std::vector<std::string> texts(std::string_view field) const;
  bool truth(std::string_view field) const;  ///< true or false; false where the field is absent or null
  double label() const;                      ///< "label": true or 1, false or 0
  /// [{"role": …, "content": …}, …] or [{"from": …, "value": …}, …], at least one, or one such object.
  std::vector<chat_message> messages(std::string_view field) const;
  /// The field's name in the file, in quotes.
  std::string named(std::string_view field) const;
  /// The line's tools, documents and chat_template_kwargs as a JSON object; empty without any.
  std::string extras() const;
  /// The names at the row's top, as the file has them.
  std::vector<std::string> keys() const;

 private:
  using json = nlohmann::ordered_json;

  const json &value(std::string_view field) const;
  const json *at_path(std::string_view path) const;
  json parsed(std::string_view text, const std::string &what) const;
  json list_of(std::string_view field) const;
  void add_arguments(json &extras) const;

  const std::filesystem::path &file_;
  std::size_t number_, column_;
  const field_names &names_;
  std::string_view holds_;
  json row_;  // keeps the order of fields, because templates write them in it
};

}  // namespace slipstream

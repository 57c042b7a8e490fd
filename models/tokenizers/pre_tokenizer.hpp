#pragma once

#include <deque>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizers/split_pattern.hpp"

namespace slipstream {

/// Cuts text into the words that are encoded each by itself: tokenizer.json's pre_tokenizer.
class pre_tokenizer {
 public:
  /// Supported are ByteLevel, Split, Digits and a Sequence of them that ends with ByteLevel. Throws
  /// input_error naming `file` and field.
  pre_tokenizer(const nlohmann::json &content, const std::string &file);

  /// Calls `word` for each word in order. Words are parts of `text` or of what is added to `kept`.
  void split(std::string_view text, std::deque<std::string> &kept,
             const std::function<void(std::string_view)> &word) const;

 private:
  struct step {
    std::vector<split_pattern> pattern;  ///< none or one
    bool keep_matches = true, keep_rest = true;
    bool space_in_front = false;
  };

  void read(const nlohmann::json &content, const std::string &field, const std::string &file);
  void read_split(const nlohmann::json &content, const std::string &field, const std::string &file);
  void run(std::size_t from, std::string_view text, std::deque<std::string> &kept,
           const std::function<void(std::string_view)> &word) const;

  std::vector<step> steps_;
  bool byte_level_ = false;
};

}  // namespace slipstream

#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "models/tokenizers/bpe_fields.hpp"

namespace slipstream {

/// Byte-pair encoding of words over a byte-level vocabulary: tokenizer.json's model.
class bpe_model {
 public:
  /// Throws input_error naming `file` and field.
  bpe_model(const nlohmann::json &content, const std::string &file);

  /// Appends the ids of a word. Throws input_error for a byte that has no token.
  void encode(std::string_view word, std::vector<std::int64_t> &ids) const;

  /// Every token by its text as the file writes it.
  const token_ids &vocabulary() const { return vocabulary_; }

 private:
  static constexpr std::uint32_t none = 0xffffffff;

  void place_bytes();
  void refuse_unsupported(const nlohmann::json &content, const std::string &file) const;

  token_ids vocabulary_;
  std::array<std::uint32_t, 256> bytes_;
  std::optional<merge_table> merges_;
  /// With ignore_merges: every token by its bytes; a word that is one needs no merges.
  std::unordered_map<std::string_view, std::uint32_t> whole_;
  std::vector<std::string> whole_bytes_;
};

}  // namespace slipstream

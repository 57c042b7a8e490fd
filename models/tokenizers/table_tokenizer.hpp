#pragma once

#include <string>
#include <vector>

#include "models/tokenizers/post_processor.hpp"
#include "models/tokenizers/special_tokens.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// What all tokenizers here share: a table of tokens by id, the special ones, and the files they came from.
class table_tokenizer : public tokenizer {
 public:
  std::vector<std::int64_t> encode_with_special(std::string_view text) const override;
  std::string bytes_of(std::int64_t id, bool keep_special) const override;
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(tokens_.size()); }
  std::int64_t eos() const override { return special_.eos; }
  std::int64_t pad() const override { return special_.pad; }
  std::int64_t bos() const override { return special_.bos; }
  void save(const std::filesystem::path &folder) const override { write_tokenizer_files(files_, folder); }

 protected:
  struct piece {
    std::string text;      ///< what the token decodes to
    bool special = false;  ///< left out of texts
    bool byte = false;     ///< one byte of a character
  };

  table_tokenizer(special_tokens special, tokenizer_files files, frame around = {});

  /// The place of an id, in a table that is large enough.
  piece &place(std::int64_t id);
  /// The token of an id that is written into a text. Null for a special one that is left out, and for an id
  /// that is none: a model may have more rows than its tokenizer has tokens.
  const piece *written(std::int64_t id, bool keep_special) const;

  special_tokens special_;
  frame around_;
  tokenizer_files files_;
  std::vector<piece> tokens_;
};

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizers/files.hpp"

namespace slipstream {

/// Text to token ids and back. Immutable and thread-safe.
class tokenizer {
 public:
  virtual ~tokenizer() = default;
  /// Throws input_error naming the character when a tokenizer has no id for it.
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  /// encode, and what the tokenizer's post-processor puts around a text (Llama 3's beginning-of-text token).
  virtual std::vector<std::int64_t> encode_with_special(std::string_view text) const { return encode(text); }
  /// Special tokens are left out unless `keep_special`.
  virtual std::string decode(const std::vector<std::int64_t> &ids, bool keep_special = false) const = 0;
  /// What one token adds to the text, which may be part of a character; empty for an id that is none.
  virtual std::string bytes_of(std::int64_t id, bool keep_special = false) const {
    return decode({id}, keep_special);
  }
  virtual std::int64_t vocab_size() const = 0;
  virtual std::int64_t eos() const = 0;  ///< -1 when there is none
  virtual std::int64_t pad() const = 0;
  virtual std::int64_t bos() const = 0;
  /// Writes tokenizer.json and tokenizer_config.json that Hugging Face's libraries load; the files of a
  /// loaded tokenizer (chat template, vocabulary files) byte for byte.
  virtual void save(const std::filesystem::path &folder) const = 0;
};

/// Reads folder/tokenizer.json (and tokenizer_config.json), or a GGUF file's tokenizer. Throws input_error
/// naming file and field.
std::shared_ptr<const tokenizer> load_tokenizer(const std::filesystem::path &folder);

/// The same from the files' bytes; `where` is their folder, for messages.
std::shared_ptr<const tokenizer> read_tokenizer(tokenizer_files files, const std::filesystem::path &where);

/// One id a character of `alphabet` (UTF-8, duplicates ignored), after <pad>, <bos> and <eos>.
std::shared_ptr<const tokenizer> make_character_tokenizer(std::string_view alphabet);

/// One id a byte, after <pad>, <bos> and <eos>: a byte-level BPE tokenizer without merges.
std::shared_ptr<const tokenizer> make_byte_tokenizer();

}  // namespace slipstream

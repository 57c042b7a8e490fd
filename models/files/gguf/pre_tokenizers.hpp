#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace slipstream {

/// What the name in tokenizer.ggml.pre stands for.
struct gguf_pre_tokenizer {
  const char *names;  ///< with spaces around each
  const char *cut;    ///< which patterns cut words
  bool ignore_merges = false, adds_begin = false, nfc = false;
};

/// The row of a name; null for one that is not known here.
const gguf_pre_tokenizer *find_gguf_pre_tokenizer(std::string_view name);
/// All names, for messages.
std::string gguf_pre_tokenizer_names();
/// tokenizer.json's "pre_tokenizer" for it.
nlohmann::json gguf_cutting(const gguf_pre_tokenizer &row);
/// The name to write for a tokenizer.json's "pre_tokenizer" that cuts words alike; empty where none does.
std::string gguf_pre_tokenizer_of(const nlohmann::json &pre_tokenizer, bool ignore_merges, bool nfc);

}  // namespace slipstream

#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/tokenizers/files.hpp"
#include "models/tokenizers/special_tokens.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// The byte-level BPE tokenizer that a tokenizer.json of model type BPE holds (GPT-2, Llama 3, Qwen). Throws
/// input_error naming `file` and field for whatever would change ids and is not supported.
std::shared_ptr<const tokenizer> read_bpe_tokenizer(const nlohmann::json &content, special_tokens special,
                                                    tokenizer_files files, const std::string &file);

}  // namespace slipstream

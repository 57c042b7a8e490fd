#pragma once

#include "models/files/gguf/file.hpp"
#include "models/network/spec.hpp"

namespace slipstream {

/// What a GGUF file says of its network, as a Hugging Face folder's config.json would. Every key of the
/// architecture must be known: one that changes the numbers and is not supported is refused with file and
/// key.
model_spec gguf_spec(const gguf_file &file);

/// Where the tokens of a GGUF are named: tokenizer.ggml.NAME_token_id, checked against embedding and tokens;
/// -1.
std::int64_t gguf_token(const gguf_file &file, const std::string &name);

}  // namespace slipstream

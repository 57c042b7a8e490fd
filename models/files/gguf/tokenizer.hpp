#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/files/gguf/file.hpp"

namespace slipstream {

/// Whether a GGUF file holds a tokenizer's tokens.
bool has_gguf_tokenizer(const gguf_file &file);

/// The tokenizer.json that gives the ids that the file's keys tokenizer.ggml.* describe. Byte-level BPE only;
/// a pre-tokenizer that is not known, tokens that are given twice and merges that make no token are refused
/// with file and key.
std::string gguf_tokenizer_json(const gguf_file &file);

/// Its tokenizer_config.json: begin, end and padding token, and the chat template.
std::string gguf_tokenizer_config(const gguf_file &file);

/// Whether texts begin with the begin token: tokenizer.ggml.add_bos_token, or what llama.cpp assumes.
bool gguf_adds_begin(const gguf_file &file);

}  // namespace slipstream

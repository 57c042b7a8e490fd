#pragma once

#include <filesystem>
#include <string>

namespace slipstream {

/// The small files of a model: config.json, tokenizer.json, tokenizer_config.json and the like of a Hugging
/// Face folder, or what a GGUF file says in their words.
bool has_model_text(const std::filesystem::path &model, const std::string &name);
/// Throws input_error when it cannot be read.
std::string read_model_text(const std::filesystem::path &model, const std::string &name);
/// The name of that file for messages: its own path, or the path of the GGUF file that holds its content.
std::string model_text_name(const std::filesystem::path &model, const std::string &name);

}  // namespace slipstream

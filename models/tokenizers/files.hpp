#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace slipstream {

/// A tokenizer's files as they are, by name, tokenizer.json first: what was loaded is saved byte for byte.
using tokenizer_files = std::vector<std::pair<std::string, std::string>>;

/// Reads what a Hugging Face folder, or a GGUF file, holds of a tokenizer. Throws input_error when
/// tokenizer.json cannot be read.
tokenizer_files read_tokenizer_files(const std::filesystem::path &folder);

/// Throws run_error when they cannot be written.
void write_tokenizer_files(const tokenizer_files &files, const std::filesystem::path &folder);

/// The bytes of a file by its name; null when it is not there.
const std::string *find_file(const tokenizer_files &files, const std::string &name);

}  // namespace slipstream

#include "models/tokenizers/files.hpp"

#include "models/files/mapping.hpp"
#include "models/files/model_files.hpp"

namespace slipstream {

tokenizer_files read_tokenizer_files(const std::filesystem::path &folder) {
  tokenizer_files files{{"tokenizer.json", read_model_text(folder, "tokenizer.json")}};
  for (const char *name : {"tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
                           "vocab.json", "merges.txt", "added_tokens.json"})
    if (has_model_text(folder, name)) files.emplace_back(name, read_model_text(folder, name));
  return files;
}

void write_tokenizer_files(const tokenizer_files &files, const std::filesystem::path &folder) {
  for (const auto &[name, text] : files) write_file(folder / name, text);
}

const std::string *find_file(const tokenizer_files &files, const std::string &name) {
  for (const auto &[known, text] : files)
    if (known == name) return &text;
  return nullptr;
}

}  // namespace slipstream

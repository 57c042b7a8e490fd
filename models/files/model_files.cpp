#include "models/files/model_files.hpp"

#include <nlohmann/json.hpp>

#include "models/files/gguf/spec.hpp"
#include "models/files/gguf/tokenizer.hpp"
#include "models/files/json.hpp"

namespace slipstream {

bool has_model_text(const std::filesystem::path &model, const std::string &name) {
  if (!is_model_file(model)) return std::filesystem::exists(model / name);
  if (name == "config.json") return true;
  if (name != "tokenizer.json" && name != "tokenizer_config.json") return false;
  return has_gguf_tokenizer(gguf_file(model));
}

std::string read_model_text(const std::filesystem::path &model, const std::string &name) {
  if (!is_model_file(model)) return read_text(model / name);
  const gguf_file file(model);
  if (name == "config.json") return to_config(gguf_spec(file)).dump();
  return name == "tokenizer.json" ? gguf_tokenizer_json(file) : gguf_tokenizer_config(file);
}

std::string model_text_name(const std::filesystem::path &model, const std::string &name) {
  return is_model_file(model) ? model.string() : (model / name).string();
}

}  // namespace slipstream

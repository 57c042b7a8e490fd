#include "models/files/gguf/architectures.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace slipstream {
namespace {

constexpr std::array gguf_architectures{
    gguf_architecture{"llama", "llama", true}, gguf_architecture{"qwen2", "qwen2", false, false, true},
    gguf_architecture{"qwen3", "qwen3"}, gguf_architecture{"gpt2", "gpt2", false, true, true}};

std::string replaced(const std::string &text, const std::string &from, const char *to) {
  return text.starts_with(from) ? to + text.substr(from.size()) : std::string();
}

// What stands behind the layer's number.
std::string within_layer(const tensor_names &names, const std::string &part) {
  const bool one = names.queries_keys_values.size() == 1;
  std::vector<std::pair<std::string, const char *>> rows{
      {names.attention_norm, "attn_norm"},
      {names.output, "attn_output"},
      {names.mlp_norm, "ffn_norm"},
      {names.down, "ffn_down"},
      {"self_attn.q_norm", "attn_q_norm"},
      {"self_attn.k_norm", "attn_k_norm"},
      {names.queries_keys_values.front(), one ? "attn_qkv" : "attn_q"},
      {names.up.front(), names.up.size() == 1 ? "ffn_up" : "ffn_gate"}};
  if (!one)
    rows.insert(rows.end(),
                {{names.queries_keys_values[1], "attn_k"}, {names.queries_keys_values[2], "attn_v"}});
  if (names.up.size() > 1) rows.emplace_back(names.up[1], "ffn_up");
  for (const auto &[from, to] : rows)
    if (part.starts_with(from + ".")) return to + part.substr(from.size());
  return "";
}

}  // namespace

const gguf_architecture &find_architecture(const gguf_file &file) {
  constexpr const char *key = "general.architecture";
  const auto name = file.text(key);
  if (!name) file.refuse(key, "is missing; is it a whole GGUF model?");
  std::string supported;
  for (const auto &row : gguf_architectures) {
    if (*name == row.name) return row;
    supported += (supported.empty() ? "" : ", ") + std::string(row.name);
  }
  const auto shown =
      nlohmann::json(name->substr(0, 80)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  file.refuse(key, shown + " is not supported; supported are: " + supported);
}

const gguf_architecture *architecture_to_write(std::string_view model_type) {
  if (model_type == "mistral") model_type = "llama";  // as llama.cpp's converter has it
  for (const auto &row : gguf_architectures)
    if (model_type == row.model_type) return &row;
  return nullptr;
}

std::string gguf_tensor_name(const family &row, const std::string &parameter) {
  const tensor_names &names = row.tensors;
  const std::string layer = names.layer;
  if (parameter.starts_with(layer)) {
    const auto end = parameter.find('.', layer.size());
    if (end == std::string::npos) return "";
    const auto part = within_layer(names, parameter.substr(end + 1));
    return part.empty() ? "" : "blk." + parameter.substr(layer.size(), end - layer.size()) + "." + part;
  }
  std::vector<std::pair<std::string, const char *>> rows{{std::string(names.embedding) + ".", "token_embd."},
                                                         {std::string(names.norm) + ".", "output_norm."},
                                                         {"lm_head.", "output."}};
  if (names.positions) rows.emplace_back(std::string(names.positions) + ".", "position_embd.");
  for (const auto &[from, to] : rows)
    if (auto found = replaced(parameter, from, to); !found.empty()) return found;
  return "";
}

}  // namespace slipstream

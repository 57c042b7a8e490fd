#include "models/files/checkpoint.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include "models/error.hpp"
#include "models/files/adapter_config.hpp"
#include "models/files/gguf/spec.hpp"
#include "models/files/gguf/tokenizer.hpp"
#include "models/files/gguf_weights.hpp"
#include "models/files/json.hpp"
#include "models/files/model_files.hpp"
#include "models/files/weights.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void require_folder(const fs::path &folder) {
  if (is_model_file(folder)) return;  // its reader says what is wrong with it
  if (!fs::is_directory(folder))
    throw input_error(folder.string() + ": error: there is no such folder; give one that holds a model");
  if (!fs::exists(folder / "config.json"))
    throw input_error(folder.string() + ": error: holds no config.json; is it a whole Hugging Face folder?");
}

// As transformers does: generation_config.json, where it is, says which tokens end a generation.
void read_end_tokens(const fs::path &folder, model_spec &spec) {
  const fs::path file = folder / "generation_config.json";
  if (!fs::exists(file)) return;
  const json config = read_json(file);
  const auto found = config.is_object() ? config.find("eos_token_id") : config.end();
  if (found == config.end() || found->is_null()) return;
  std::vector<std::int64_t> ids;
  for (const json &each : found->is_array() ? *found : json::array({*found})) {
    if (!each.is_number_unsigned())
      throw input_error(file.string() + ": error: eos_token_id: must be a token id or a list of them, not " +
                        found->dump());
    ids.push_back(each.get<std::int64_t>());
  }
  spec.eos_tokens = std::move(ids);
}

// The folder of the weights: itself, or what its adapters stand on.
fs::path base_of(const fs::path &folder) {
  const auto adapter = checkpoint_adapter(folder);
  return adapter ? adapter->base : folder;
}

void read_weights(const fs::path &base, checkpoint &model) {
  const std::vector<parameter_slot> slots = parameter_layout(model.spec);
  if (is_model_file(base)) {
    const gguf_file file(base);
    match_gguf(file, model.spec, true);
    model.flat = at::empty({parameter_count(model.spec)}, at::kFloat);
    return read_gguf(file, model.spec, model.flat);
  }
  const stored_weights weights(base, "model");
  weights.match(slots, checkpoint_spec(base).labels == 0);
  model.flat = at::empty({parameter_count(model.spec)}, at::kFloat);
  weights.read(slots, model.flat);
}

}  // namespace

transformer checkpoint::network(numerics mode) const {
  if (adapter) return {spec, flat, adapter->spec, adapter->values, mode};
  return {spec, flat, mode};
}

std::optional<stored_adapter> checkpoint_adapter(const fs::path &folder) {
  if (!fs::exists(folder / "adapter_config.json")) return {};
  return read_adapter_config(folder);
}

fs::path tokenizer_folder(const fs::path &folder) {
  return has_model_text(folder, "tokenizer.json") ? folder : base_of(folder);
}

model_folders folders_of(const fs::path &folder) {
  model_folders all(folder);
  all.base = base_of(folder);
  all.text = tokenizer_folder(folder);
  return all;
}

model_spec checkpoint_spec(const fs::path &folder, std::int64_t labels) {
  const auto adapter = checkpoint_adapter(folder);
  const fs::path base = adapter ? adapter->base : folder;
  require_folder(base);
  model_spec spec = is_model_file(base) ? gguf_spec(gguf_file(base)) : read_spec(base / "config.json");
  read_end_tokens(fs::exists(folder / "generation_config.json") ? folder : base, spec);
  if (labels > 0 || (adapter && holds_score_head(folder))) spec.labels = 1;
  return spec;
}

void verify_checkpoint(const fs::path &folder) {
  const fs::path base = base_of(folder);
  require_folder(base);
  if (is_model_file(base))
    match_gguf(gguf_file(base), checkpoint_spec(base), false);
  else
    stored_weights(base, "model").match(parameter_layout(checkpoint_spec(base)), false);
  if (const auto adapter = checkpoint_adapter(folder))
    stored_weights(folder, "adapter_model")
        .match(adapter_layout(checkpoint_spec(folder), adapter->spec), false);
}

checkpoint load_checkpoint(const fs::path &folder, std::int64_t labels) {
  checkpoint model;
  model.spec = checkpoint_spec(folder, labels);
  model.adapter = checkpoint_adapter(folder);
  const fs::path base = model.adapter ? model.adapter->base : folder;
  read_weights(base, model);
  if (model.adapter) {
    const std::vector<parameter_slot> parts = adapter_layout(model.spec, model.adapter->spec);
    const stored_weights values(folder, "adapter_model");
    values.match(parts, false);
    model.adapter->values = at::empty({adapter_count(model.spec, model.adapter->spec)}, at::kFloat);
    values.read(parts, model.adapter->values);
  }
  const fs::path place = tokenizer_folder(folder);
  if (!has_model_text(place, "tokenizer.json")) return model;
  auto text = load_tokenizer(place);
  auto chosen = choose_tokens(folders_of(folder), *text, model.spec.vocab_size);
  model.text = with_tokens(std::move(text), std::move(chosen), model.spec);
  return model;
}

}  // namespace slipstream

#include "runtime/topology/models.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/network/families.hpp"
#include "runtime/topology/table_keys.hpp"

namespace slipstream {

namespace {

void check_shape(const settings &s, const model_spec &spec) {
  if (spec.hidden_size % spec.heads != 0 && spec.head_dim * spec.heads != spec.hidden_size)
    s.fail("heads",
           fmt::format("hidden_size = {} is not divisible by heads = {}; change one of them, or give "
                       "head_dim",
                       spec.hidden_size, spec.heads));
  if (spec.heads % spec.kv_heads != 0)
    s.fail("kv_heads",
           fmt::format("heads = {} is not divisible by kv_heads = {}; every key-value head serves the "
                       "same number of heads",
                       spec.heads, spec.kv_heads));
  if (spec.positions == position_kind::learned &&
      (spec.kv_heads != spec.heads || spec.head_dim * spec.heads != spec.hidden_size))
    s.fail("heads",
           "architecture = \"gpt2\" has as many key-value heads as heads, each of hidden_size / heads "
           "channels; leave kv_heads and head_dim out");
  if (spec.positions == position_kind::rotary && spec.head_dim % 2 != 0)
    s.fail("heads", fmt::format("a head has {} channels, but rotary positions need an even number; change "
                                "hidden_size or heads",
                                spec.head_dim));
}

void read_text(settings &s, model_config &model) {
  const bool alphabet = s.has("alphabet"), tokenizer = s.has("tokenizer");
  if (!alphabet && !tokenizer)
    s.fail("",
           "does not say how text becomes tokens; add one of alphabet = \"abc…\" (the characters it knows), "
           "tokenizer = \"bytes\" or tokenizer = \"FOLDER\" (with a tokenizer.json)");
  if (alphabet && tokenizer)
    s.fail("tokenizer", "alphabet and tokenizer exclude each other; keep one of them");
  (alphabet ? model.alphabet : model.tokenizer) = s.required_text(alphabet ? "alphabet" : "tokenizer");
  if (tokenizer) model.at = s.at("tokenizer");
}

void read_network(settings &s, model_config &model) {
  std::vector<std::string> names;
  for (const family &row : families()) names.emplace_back(row.model_type);
  auto &spec = model.spec;
  apply_family(*find_family(s.required_choice("architecture", names)), spec);
  table_reader keys(s);
  network_keys(keys, spec);
  read_text(s, model);
  check_shape(s, spec);
}

// [models.NAME.lora]
std::optional<adapter_spec> read_lora(settings &model) {
  const node *table = model.find("lora");
  if (!table) return {};
  settings s(*table);
  adapter_spec lora;
  table_reader keys(s);
  lora_keys(keys, lora);
  if (lora.targets.empty()) lora.targets = {"all-linear"};
  std::sort(lora.targets.begin(), lora.targets.end());
  s.finish();
  return lora;
}

model_config read_model(const std::string &name, const node &table) {
  settings s(table);
  model_config model;
  model.name = name;
  model.at = table.at;
  const bool from = s.has("from"), copy = s.has("copy_of"), fresh = s.has("architecture");
  if (from + copy + fresh == 0)
    s.fail("",
           "does not say where its weights come from; add one of from = \"run:…\", copy_of = \"…\" or "
           "architecture = "
           "\"llama\"");
  if (from + copy + fresh > 1)
    s.fail(copy ? "copy_of" : "architecture",
           "from, copy_of and architecture exclude each other; keep the one that says where the weights come "
           "from");
  if (from) {
    model.source = model_config::origin::from;
    model.from = s.required_text("from");
    if (model.from == "run:") s.fail("from", "from = \"run:\" names no run; write from = \"run:NAME\"");
    model.at = s.at("from");
  } else if (copy) {
    model.source = model_config::origin::copy_of;
    model.copy_of = s.required_text("copy_of");
    model.at = s.at("copy_of");
  } else {
    read_network(s, model);
  }
  if (!copy) {
    model.lora = read_lora(s);
    table_reader keys(s);
    head_key(keys, model);
  }
  model.spec.labels = model.labels;
  s.finish();
  return model;
}

}  // namespace

std::vector<model_config> read_models(const node &document) {
  std::vector<model_config> models;
  const node *table = document.find("models");
  if (table == nullptr) return models;
  const settings is_table(*table);
  for (const auto &entry : *table->as_table()) models.push_back(read_model(entry.key, entry.content));
  return models;
}

}  // namespace slipstream

#include "models/network/families.hpp"

namespace slipstream {
namespace {

const config_names common_config{"hidden_size",         "intermediate_size",       "num_hidden_layers",
                                 "num_attention_heads", "max_position_embeddings", "rms_norm_eps",
                                 "hidden_act"};
const config_names gpt2_config{
    "n_embd", "n_inner", "n_layer", "n_head", "n_positions", "layer_norm_epsilon", "activation_function"};

const tensor_names common_tensors{
    .embedding = "model.embed_tokens",
    .positions = nullptr,
    .layer = "model.layers.",
    .attention_norm = "input_layernorm",
    .queries_keys_values = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"},
    .output = "self_attn.o_proj",
    .mlp_norm = "post_attention_layernorm",
    .up = {"mlp.gate_proj", "mlp.up_proj"},
    .down = "mlp.down_proj",
    .norm = "model.norm",
    .transposed = false};
const tensor_names gpt2_tensors{.embedding = "transformer.wte",
                                .positions = "transformer.wpe",
                                .layer = "transformer.h.",
                                .attention_norm = "ln_1",
                                .queries_keys_values = {"attn.c_attn"},
                                .output = "attn.c_proj",
                                .mlp_norm = "ln_2",
                                .up = {"mlp.c_fc"},
                                .down = "mlp.c_proj",
                                .norm = "transformer.ln_f",
                                .transposed = true};

family rotary_family(const char *type, const char *language_model, const char *classifier, const char *base) {
  family row{};
  row.model_type = type, row.language_model = language_model, row.classifier = classifier, row.base = base;
  row.config = common_config, row.tensors = common_tensors;
  row.norm = norm_kind::rms, row.positions = position_kind::rotary;
  row.activation = activation_kind::silu_gated;
  row.max_positions = 2048;
  return row;
}

std::vector<family> make_families() {
  family llama = rotary_family("llama", "LlamaForCausalLM", "LlamaForSequenceClassification", "LlamaModel");
  llama.biases = attention_biases::as_config_says, llama.mlp_bias_in_config = true;

  family mistral =
      rotary_family("mistral", "MistralForCausalLM", "MistralForSequenceClassification", "MistralModel");
  mistral.kv_heads = 8, mistral.max_positions = 131072, mistral.window = 4096;

  family qwen2 = rotary_family("qwen2", "Qwen2ForCausalLM", "Qwen2ForSequenceClassification", "Qwen2Model");
  qwen2.biases = attention_biases::queries_keys_values, qwen2.kv_heads = 32, qwen2.max_positions = 32768;

  family qwen3 = rotary_family("qwen3", "Qwen3ForCausalLM", "Qwen3ForSequenceClassification", "Qwen3Model");
  qwen3.biases = attention_biases::as_config_says, qwen3.qk_norm = true;
  qwen3.kv_heads = 32, qwen3.head_dim = 128, qwen3.max_positions = 32768;

  family gpt2{};
  gpt2.model_type = "gpt2", gpt2.language_model = "GPT2LMHeadModel";
  gpt2.classifier = "GPT2ForSequenceClassification", gpt2.base = "GPT2Model";
  gpt2.config = gpt2_config, gpt2.tensors = gpt2_tensors;
  gpt2.norm = norm_kind::layer, gpt2.positions = position_kind::learned;
  gpt2.activation = activation_kind::gelu_tanh, gpt2.biases = attention_biases::all;
  gpt2.tied = true, gpt2.max_positions = 1024;
  return {llama, mistral, qwen2, qwen3, gpt2};
}

}  // namespace

std::span<const family> families() {
  static const std::vector<family> all = make_families();
  return all;
}

const family *find_family(std::string_view model_type) {
  for (const family &row : families())
    if (row.model_type == model_type) return &row;
  return nullptr;
}

std::string family_names() {
  std::string names;
  for (const family &row : families()) names += (names.empty() ? "" : ", ") + std::string(row.model_type);
  return names;
}

void apply_family(const family &row, model_spec &spec) {
  spec.model_type = row.model_type;
  spec.norm = row.norm;
  spec.positions = row.positions;
  spec.activation = row.activation;
  spec.qk_norm = row.qk_norm;
  spec.qkv_bias = row.biases == attention_biases::queries_keys_values || row.biases == attention_biases::all;
  spec.output_bias = row.biases == attention_biases::all;
  spec.mlp_bias = row.biases == attention_biases::all;
}

}  // namespace slipstream

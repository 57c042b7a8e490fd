#include "models/network/spec.hpp"

#include <array>
#include <limits>
#include <string_view>

#include "models/error.hpp"
#include "models/files/json.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// One row a supported family: its name in config.json and the classes that transformers loads it with.
struct family {
  std::string_view model_type, language_model, classifier;
};
constexpr std::array families{family{"llama", "LlamaForCausalLM", "LlamaForSequenceClassification"}};

// Fields that change the numbers when they hold anything but what is listed here (absent and null are fine).
struct fixed_field {
  const char *name;
  const char *only;  // JSON
};
constexpr std::array fixed_fields{
    fixed_field{"hidden_act", "\"silu\""},     fixed_field{"attention_dropout", "0"},
    fixed_field{"partial_rotary_factor", "1"}, fixed_field{"is_decoder", "true"},
    fixed_field{"sliding_window", "null"},     fixed_field{"quantization_config", "null"}};

constexpr std::int64_t greatest_size = std::int64_t{1} << 24, most_layers = 1024;

class reader {
 public:
  reader(json config, std::string file) : config_(std::move(config)), file_(std::move(file)) {
    if (!config_.is_object()) throw input_error(file_ + ": error: must hold a JSON object");
  }

  [[noreturn]] void refuse(const std::string &field, const std::string &why) const {
    throw input_error(file_ + ": error: " + field + ": " + why);
  }

  const json *find(const char *name) const {
    const auto it = config_.find(name);
    return it == config_.end() || it->is_null() ? nullptr : &*it;
  }

  std::int64_t size(const char *name, std::int64_t fallback = 0) const {
    const json *value = find(name);
    if (!value && fallback > 0) return fallback;
    if (!value) refuse(name, "is missing");
    if (!value->is_number_integer() || *value < 1 || *value > greatest_size)
      refuse(name,
             "must be a whole number from 1 to " + std::to_string(greatest_size) + ", not " + value->dump());
    return value->get<std::int64_t>();
  }

  double number(const json *value, const char *name, double fallback) const {
    if (!value) return fallback;
    if (!value->is_number() || !(value->get<double>() > 0))
      refuse(name, "must be a number above 0, not " + value->dump());
    return value->get<double>();
  }
  double number(const char *name, double fallback) const { return number(find(name), name, fallback); }

  bool flag(const char *name) const {
    const json *value = find(name);
    if (value && !value->is_boolean()) refuse(name, "must be true or false, not " + value->dump());
    return value && value->get<bool>();
  }

  // A token id, or the first of a list of them; -1 when there is none.
  std::int64_t token(const char *name) const {
    const json *value = find(name);
    if (value && value->is_array() && !value->empty()) value = &value->front();
    if (!value) return -1;
    if (!value->is_number_integer() || *value < -1) refuse(name, "must be a token id, not " + value->dump());
    return value->get<std::int64_t>();
  }

 private:
  json config_;
  std::string file_;
};

const family &read_family(const reader &in) {
  std::string supported;
  const json *type = in.find("model_type");
  for (const family &row : families) {
    if (type && *type == row.model_type) return row;
    supported += (supported.empty() ? "" : ", ") + std::string(row.model_type);
  }
  in.refuse("model_type", (type ? type->dump() + " is not supported" : "is missing") +
                              std::string("; supported are: ") + supported);
}

void refuse_unsupported(const reader &in) {
  for (const fixed_field &field : fixed_fields) {
    const json *value = in.find(field.name);
    if (value && *value != json::parse(field.only))
      in.refuse(field.name, value->dump() + " is not supported (only " + field.only + " is)");
  }
  for (const char *name : {"dtype", "torch_dtype"}) {
    const json *type = in.find(name);
    if (type && *type != "float32" && *type != "float16" && *type != "bfloat16")
      in.refuse(name, type->dump() + " is not supported (float32, float16 and bfloat16 are)");
  }
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 one table rope_parameters.
double read_rope_theta(const reader &in) {
  double theta = in.number("rope_theta", 10000.0);
  for (const char *name : {"rope_scaling", "rope_parameters"}) {
    const json *table = in.find(name);
    if (!table) continue;
    if (!table->is_object()) in.refuse(name, "must be a table, not " + table->dump());
    for (const char *key : {"rope_type", "type"})
      if (table->contains(key) && table->at(key) != "default")
        in.refuse(std::string(name) + "." + key,
                  table->at(key).dump() + " is not supported (only \"default\" is)");
    if (table->contains("partial_rotary_factor") && table->at("partial_rotary_factor") != 1)
      in.refuse(std::string(name) + ".partial_rotary_factor", "is not supported");
    if (table->contains("rope_theta")) theta = in.number(&table->at("rope_theta"), "rope_theta", theta);
  }
  return theta;
}

std::int64_t read_labels(const reader &in, const family &row) {
  const json *architectures = in.find("architectures");
  const bool classifier = architectures && architectures->is_array() && architectures->size() == 1 &&
                          architectures->front() == row.classifier;
  if (!classifier) return 0;
  const json *names = in.find("id2label");
  const std::int64_t labels =
      names && names->is_object() ? static_cast<std::int64_t>(names->size()) : in.size("num_labels", 2);
  if (labels != 1) in.refuse("num_labels", "a score head must have 1 label, not " + std::to_string(labels));
  return labels;
}

void check_heads(const reader &in, const model_spec &spec) {
  if (spec.heads % spec.kv_heads != 0)
    in.refuse("num_key_value_heads", std::to_string(spec.kv_heads) +
                                         " must divide num_attention_heads = " + std::to_string(spec.heads));
  if (spec.head_dim % 2 != 0) in.refuse("head_dim", "must be even for rotary positions");
  if (spec.layers > most_layers)
    in.refuse("num_hidden_layers", "more than " + std::to_string(most_layers) + " are not supported");
}

std::int64_t read_head_dim(const reader &in, const model_spec &spec) {
  if (!in.find("head_dim") && spec.hidden_size % spec.heads != 0)
    in.refuse("num_attention_heads", "must divide hidden_size where head_dim is not given");
  return in.size("head_dim", std::max<std::int64_t>(1, spec.hidden_size / spec.heads));
}

}  // namespace

model_spec read_spec(const std::filesystem::path &config_file) {
  const reader in(read_json(config_file), config_file.string());
  const family &row = read_family(in);
  refuse_unsupported(in);
  model_spec spec;
  spec.model_type = row.model_type;
  spec.vocab_size = in.size("vocab_size");
  spec.hidden_size = in.size("hidden_size");
  spec.intermediate_size = in.size("intermediate_size");
  spec.layers = in.size("num_hidden_layers");
  spec.heads = in.size("num_attention_heads");
  spec.kv_heads = in.size("num_key_value_heads", spec.heads);
  spec.head_dim = read_head_dim(in, spec);
  spec.max_positions = in.size("max_position_embeddings", 2048);
  spec.norm_eps = in.number("rms_norm_eps", 1e-6);
  spec.rope_theta = read_rope_theta(in);
  spec.tied_embeddings = in.flag("tie_word_embeddings");
  spec.attention_bias = in.flag("attention_bias");
  spec.mlp_bias = in.flag("mlp_bias");
  spec.labels = read_labels(in, row);
  spec.bos_token = in.token("bos_token_id");
  spec.eos_token = in.token("eos_token_id");
  spec.pad_token = in.token("pad_token_id");
  spec.initializer_range = in.number("initializer_range", 0.02);
  check_heads(in, spec);
  return spec;
}

json to_config(const model_spec &spec) {
  const family *row = nullptr;
  for (const family &each : families)
    if (each.model_type == spec.model_type) row = &each;
  if (!row) throw input_error("model_type \"" + spec.model_type + "\" is not supported");
  const auto token = [](std::int64_t id) { return id < 0 ? json(nullptr) : json(id); };
  json config{{"architectures", {spec.labels > 0 ? row->classifier : row->language_model}},
              {"model_type", spec.model_type},
              {"vocab_size", spec.vocab_size},
              {"hidden_size", spec.hidden_size},
              {"intermediate_size", spec.intermediate_size},
              {"num_hidden_layers", spec.layers},
              {"num_attention_heads", spec.heads},
              {"num_key_value_heads", spec.kv_heads},
              {"head_dim", spec.head_dim},
              {"max_position_embeddings", spec.max_positions},
              {"rms_norm_eps", spec.norm_eps},
              {"rope_theta", spec.rope_theta},
              {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", spec.rope_theta}}},
              {"tie_word_embeddings", spec.tied_embeddings},
              {"attention_bias", spec.attention_bias},
              {"mlp_bias", spec.mlp_bias},
              {"hidden_act", "silu"},
              {"attention_dropout", 0.0},
              {"bos_token_id", token(spec.bos_token)},
              {"eos_token_id", token(spec.eos_token)},
              {"pad_token_id", token(spec.pad_token)},
              {"initializer_range", spec.initializer_range},
              {"dtype", "float32"},
              {"torch_dtype", "float32"},
              {"use_cache", true}};
  if (spec.labels > 0) {
    config["id2label"] = {{"0", "LABEL_0"}};
    config["label2id"] = {{"LABEL_0", 0}};
  }
  return config;
}

}  // namespace slipstream

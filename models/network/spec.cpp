#include "models/network/spec.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/network/families.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// Fields that change the numbers when they hold anything but what is listed here (absent and null are fine).
struct fixed_field {
  const char *name;
  const char *only;  // JSON
};
constexpr std::array fixed_fields{fixed_field{"partial_rotary_factor", "1"},
                                  fixed_field{"is_encoder_decoder", "false"},
                                  fixed_field{"add_cross_attention", "false"},
                                  fixed_field{"scale_attn_weights", "true"},
                                  fixed_field{"scale_attn_by_inverse_layer_idx", "false"},
                                  fixed_field{"pruned_heads", "{}"},
                                  fixed_field{"quantization_config", "null"}};

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

  std::int64_t size(const char *name, std::int64_t fallback = 0, std::int64_t least = 1) const {
    const json *value = find(name);
    if (!value && fallback > 0) return fallback;
    if (!value) refuse(name, "is missing");
    if (!value->is_number_integer() || *value < least || *value > greatest_size)
      refuse(name, "must be a whole number from " + std::to_string(least) + " to " +
                       std::to_string(greatest_size) + ", not " + value->dump());
    return value->get<std::int64_t>();
  }
  // As size(), but a null means `null`, which an absent field need not.
  std::int64_t size_or_null(const char *name, std::int64_t fallback, std::int64_t null) const {
    return names(name) && !find(name) ? null : size(name, fallback);
  }

  double number(const json *value, const char *name, double fallback) const {
    if (!value) return fallback;
    if (!value->is_number() || !(value->get<double>() > 0))
      refuse(name, "must be a number above 0, not " + value->dump());
    return value->get<double>();
  }
  double number_or_zero(const char *name, double fallback) const {
    const json *value = find(name);
    return value && *value == 0 ? 0 : number(value, name, fallback);
  }
  double number(const char *name, double fallback) const { return number(find(name), name, fallback); }

  bool flag(const char *name, bool fallback = false) const {
    const json *value = find(name);
    if (value && !value->is_boolean()) refuse(name, "must be true or false, not " + value->dump());
    return value ? value->get<bool>() : fallback;
  }

  std::string text(const json &value, const std::string &name) const {
    if (!value.is_string()) refuse(name, "must be a string, not " + value.dump());
    return value.get<std::string>();
  }

  // A token id or a list of them; -1 and null name none.
  std::vector<std::int64_t> tokens(const char *name) const {
    std::vector<std::int64_t> ids;
    const json *value = find(name);
    for (const json &each : !value ? json::array() : value->is_array() ? *value : json::array({*value})) {
      if (!each.is_number_integer() || each < -1 || each > greatest_size)
        refuse(name, "must be a token id, not " + each.dump());
      if (each >= 0) ids.push_back(each.get<std::int64_t>());
    }
    return ids;
  }
  std::int64_t token(const char *name) const {
    const auto ids = tokens(name);
    return ids.empty() ? -1 : ids.front();
  }

  bool names(const char *name) const { return config_.contains(name); }

 private:
  json config_;
  std::string file_;
};

const family &read_family(const reader &in) {
  const json *type = in.find("model_type");
  const family *row = type && type->is_string() ? find_family(type->get<std::string>()) : nullptr;
  if (!row)
    in.refuse("model_type", (type ? type->dump() + " is not supported" : "is missing") +
                                std::string("; supported are: ") + family_names());
  return *row;
}

void refuse_unsupported(const reader &in, const family &row) {
  for (const fixed_field &field : fixed_fields) {
    const json *value = in.find(field.name);
    if (value && *value != json::parse(field.only))
      in.refuse(field.name, value->dump() + " is not supported (only " + field.only + " is)");
  }
  for (const char *name : {"dtype", "torch_dtype"}) {
    const json *type = in.find(name);
    constexpr std::array known{"float32", "float16", "bfloat16", "float64"};
    std::string given = type && type->is_string() ? type->get<std::string>() : "";
    if (given.rfind("torch.", 0) == 0) given.erase(0, 6);
    if (type && std::find(known.begin(), known.end(), given) == known.end())
      in.refuse(name, type->dump() + " is not supported (float32, float16, bfloat16 and float64 are)");
  }
  const bool gated = row.activation == activation_kind::silu_gated;
  const std::vector<const char *> same =
      gated ? std::vector{"silu", "swish"} : std::vector{"gelu_new", "gelu_pytorch_tanh"};
  const json *activation = in.find(row.config.activation);
  if (activation &&
      std::none_of(same.begin(), same.end(), [&](const char *name) { return *activation == name; }))
    in.refuse(row.config.activation, activation->dump() + " is not supported (" + same.front() + " is)");
}

// transformers 4 writes rope_theta and rope_scaling, transformers 5 one table rope_parameters.
void read_rope_table(const reader &in, const std::string &name, const json &table, model_spec &spec) {
  if (!table.is_object()) in.refuse(name, "must be a table, not " + table.dump());
  const auto at = [&](const char *key) -> const json * {
    const auto found = table.find(key);
    return found == table.end() || found->is_null() ? nullptr : &*found;
  };
  const auto number = [&](const char *key, double fallback) {
    return in.number(at(key), (name + "." + key).c_str(), fallback);
  };
  for (const auto &[key, value] : table.items())
    if (value.is_object())
      in.refuse(name + "." + key, "positions that differ between layers are not supported");
  const char *type_key = at("rope_type") ? "rope_type" : "type";
  const std::string type = at(type_key) ? in.text(*at(type_key), name + "." + type_key) : "default";
  if (at("partial_rotary_factor") && *at("partial_rotary_factor") != 1)
    in.refuse(name + ".partial_rotary_factor", "is not supported");
  spec.rope_theta = number("rope_theta", spec.rope_theta);
  spec.rope = {};
  if (type == "default") return;
  if (type != "linear" && type != "llama3")
    in.refuse(name + "." + type_key,
              json(type).dump() + " is not supported (\"default\", \"linear\" and \"llama3\" are)");
  if (!at("factor")) in.refuse(name + ".factor", "is missing");
  spec.rope.type = type == "linear" ? rope_scaling::kind::linear : rope_scaling::kind::llama3;
  spec.rope.factor = number("factor", 1);
  if (type == "linear") return;
  for (const char *key : {"low_freq_factor", "high_freq_factor"})
    if (!at(key)) in.refuse(name + "." + key, "is missing");
  spec.rope.low_freq_factor = number("low_freq_factor", 1);
  spec.rope.high_freq_factor = number("high_freq_factor", 4);
  if (!(spec.rope.high_freq_factor > spec.rope.low_freq_factor))
    in.refuse(name + ".high_freq_factor", "must be above low_freq_factor");
  constexpr const char *original = "original_max_position_embeddings";
  const json *positions = at(original) ? at(original) : in.find(original);
  if (!positions) in.refuse(name + "." + original, "is missing");
  spec.rope.original_max_positions = in.number(positions, original, 0);
}

void read_rope(const reader &in, model_spec &spec) {
  spec.rope_theta = in.number("rope_theta", 10000.0);
  for (const char *name : {"rope_scaling", "rope_parameters"})
    if (const json *table = in.find(name)) read_rope_table(in, name, *table, spec);
}

// Which layers see a window only: as layer_types lists, or those from max_window_layers on.
std::vector<std::int64_t> windowed_layers(const reader &in, std::int64_t window, std::int64_t layers,
                                          std::int64_t first) {
  std::vector<std::int64_t> windows(static_cast<std::size_t>(layers), 0);
  const json *types = in.find("layer_types");
  if (types && (!types->is_array() || types->size() != windows.size()))
    in.refuse("layer_types", "must list each of the " + std::to_string(layers) + " layers");
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const std::string type = types ? in.text((*types)[i], "layer_types") : "";
    if (types && type != "full_attention" && type != "sliding_attention")
      in.refuse("layer_types",
                json(type).dump() + " is not supported (full_attention and sliding_attention are)");
    if (types ? type == "sliding_attention" : static_cast<std::int64_t>(i) >= first) windows[i] = window;
  }
  if (std::count(windows.begin(), windows.end(), 0) == layers) windows.clear();
  return windows;
}

void read_windows(const reader &in, const family &row, model_spec &spec) {
  if (row.window > 0) {  // mistral: every layer, unless the field is null
    const std::int64_t window =
        in.names("sliding_window") && !in.find("sliding_window") ? 0 : in.size("sliding_window", row.window);
    spec.windows = windowed_layers(in, window, spec.layers, 0);
  } else if (in.flag("use_sliding_window")) {  // qwen2, qwen3
    spec.windows = windowed_layers(in, in.size_or_null("sliding_window", 4096, 0), spec.layers,
                                   in.size("max_window_layers", 28, 0));
  } else {
    windowed_layers(in, 0, spec.layers, spec.layers);  // for what layer_types may not hold
    if (in.find("sliding_window") && !in.names("use_sliding_window"))
      in.refuse("sliding_window", "is not supported for model_type \"" + spec.model_type +
                                      "\" without use_sliding_window; remove it if the model has no window");
  }
}

std::int64_t read_labels(const reader &in, const family &row) {
  const json *architectures = in.find("architectures");
  if (!architectures || (architectures->is_array() && architectures->empty())) return 0;
  if (!architectures->is_array() || architectures->size() != 1)
    in.refuse("architectures", "must be a list of one class, not " + architectures->dump());
  const json &name = architectures->front();
  if (name == row.language_model || name == row.base) return 0;
  if (name != row.classifier)
    in.refuse("architectures",
              name.dump() + " is not supported (" + row.language_model + " and " + row.classifier + " are)");
  const json *labels_by_id = in.find("id2label");
  const std::int64_t labels = labels_by_id && labels_by_id->is_object()
                                  ? static_cast<std::int64_t>(labels_by_id->size())
                                  : in.size("num_labels", 2);
  if (labels != 1) in.refuse("num_labels", "a score head must have 1 label, not " + std::to_string(labels));
  return labels;
}

void check_heads(const reader &in, const family &row, const model_spec &spec) {
  if (spec.heads % spec.kv_heads != 0)
    in.refuse("num_key_value_heads", std::to_string(spec.kv_heads) + " must divide " + row.config.heads +
                                         " = " + std::to_string(spec.heads));
  if (spec.positions == position_kind::rotary && spec.head_dim % 2 != 0)
    in.refuse("head_dim", "must be even for rotary positions");
  if (spec.layers > most_layers)
    in.refuse(row.config.layers, "more than " + std::to_string(most_layers) + " are not supported");
}

void read_heads(const reader &in, const family &row, model_spec &spec) {
  const auto &names = row.config;
  const bool fixed = row.positions == position_kind::learned;  // GPT-2 knows neither groups nor head_dim
  spec.heads = in.size(names.heads);
  spec.kv_heads = fixed ? spec.heads
                        : in.size_or_null("num_key_value_heads", row.kv_heads > 0 ? row.kv_heads : spec.heads,
                                          spec.heads);
  const bool given = !fixed && (in.find("head_dim") || (row.head_dim > 0 && !in.names("head_dim")));
  if (!given && spec.hidden_size % spec.heads != 0)
    in.refuse(names.heads, std::string("must divide ") + names.hidden_size +
                               (fixed ? "" : " where head_dim is not given"));
  const std::int64_t own = std::max<std::int64_t>(1, spec.hidden_size / spec.heads);
  spec.head_dim = fixed ? own : in.size_or_null("head_dim", row.head_dim > 0 ? row.head_dim : own, own);
}

}  // namespace

model_spec read_spec(const std::filesystem::path &config_file) {
  const reader in(read_json(config_file), config_file.string());
  const family &row = read_family(in);
  refuse_unsupported(in, row);
  const bool gpt2 = row.positions == position_kind::learned;
  model_spec spec;
  apply_family(row, spec);
  spec.vocab_size = in.size("vocab_size");
  spec.hidden_size = in.size(row.config.hidden_size);
  spec.intermediate_size = in.size(row.config.intermediate_size, gpt2 ? 4 * spec.hidden_size : 0);
  spec.layers = in.size(row.config.layers);
  read_heads(in, row, spec);
  spec.max_positions = in.size(row.config.max_positions, row.max_positions);
  spec.norm_eps = in.number_or_zero(row.config.norm_eps, gpt2 ? 1e-5 : 1e-6);
  if (!gpt2) read_rope(in, spec);
  spec.tied_embeddings = in.flag("tie_word_embeddings", row.tied);
  if (row.biases == attention_biases::as_config_says)
    spec.qkv_bias = spec.output_bias = in.flag("attention_bias");
  if (row.mlp_bias_in_config) spec.mlp_bias = in.flag("mlp_bias");
  spec.labels = read_labels(in, row);
  spec.bos_token = in.token("bos_token_id");
  spec.eos_tokens = in.tokens("eos_token_id");
  spec.pad_token = in.token("pad_token_id");
  spec.initializer_range = in.number_or_zero("initializer_range", 0.02);  // of no use once trained
  check_heads(in, row, spec);
  read_windows(in, row, spec);
  return spec;
}

double adapter_spec::scale() const {
  const auto size = static_cast<double>(rank);
  return alpha / (rank_stabilised ? std::sqrt(size) : size);
}

}  // namespace slipstream

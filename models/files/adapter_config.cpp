#include "models/files/adapter_config.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/families.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What speaks of training, of where the files come from, or of what another field decides.
constexpr std::array other_fields{
    "auto_mapping",   "base_model_name_or_path", "corda_config",   "ensure_weight_tying", "eva_config",
    "fan_in_fan_out", "inference_mode",          "layers_pattern", "lora_alpha",          "lora_dropout",
    "lora_ga_config", "megatron_core",           "peft_version",   "qalora_group_size",   "r",
    "revision",       "runtime_config",          "target_modules"};

// Fields that change the numbers when they hold anything but one of these (absent and null are fine).
struct fixed_field {
  const char *name;
  const char *only;  // JSON: a list of what is allowed
};
constexpr std::array fixed_fields{
    fixed_field{"peft_type", R"(["LORA"])"},
    fixed_field{"task_type", R"(["CAUSAL_LM", "SEQ_CLS"])"},
    fixed_field{"bias", R"(["none"])"},
    fixed_field{"use_dora", "[false]"},
    fixed_field{"lora_bias", "[false]"},
    fixed_field{"use_qalora", "[false]"},
    fixed_field{"use_rslora", "[false, true]"},
    fixed_field{"init_lora_weights",
                R"([true, false, "gaussian", "eva", "orthogonal"])"},  // others change the base
    fixed_field{"loftq_config", "[{}]"},
    fixed_field{"alora_invocation_tokens", "[[]]"},
    fixed_field{"arrow_config", "[{}]"},
    fixed_field{"megatron_config", "[{}]"},
    fixed_field{"rank_pattern", "[{}]"},
    fixed_field{"alpha_pattern", "[{}]"},
    fixed_field{"layers_to_transform", "[[]]"},
    fixed_field{"layer_replication", "[[]]"},
    fixed_field{"exclude_modules", "[[]]"},
    fixed_field{"target_parameters", "[[]]"},
    fixed_field{"trainable_token_indices", "[[]]"},
    fixed_field{"modules_to_save", R"([[], ["score"], ["classifier", "score"]])"}};

[[noreturn]] void refuse(const fs::path &file, const std::string &field, const std::string &why) {
  throw input_error(file.string() + ": error: " + field + ": " + why);
}

// A field of a later PEFT that says something may change the numbers.
void refuse_unknown(const json &config, const fs::path &file) {
  for (const auto &field : config.items()) {
    const std::string &name = field.key();
    const json &value = field.value();
    const bool known = std::any_of(fixed_fields.begin(), fixed_fields.end(),
                                   [&](const auto &row) { return row.name == name; }) ||
                       std::find(other_fields.begin(), other_fields.end(), name) != other_fields.end();
    const bool says_nothing = value.is_null() || value == false || (value.is_structured() && value.empty());
    if (!known && !says_nothing)
      refuse(file, name, "is not known here and may change the numbers; if it does not, set it to null");
  }
}

double positive(const json &config, const fs::path &file, const char *field) {
  const auto found = config.find(field);
  if (found == config.end() || !found->is_number() || !(found->get<double>() > 0))
    refuse(file, field, "must be a number above 0");
  return found->get<double>();
}

std::vector<std::string> read_targets(const json &config, const fs::path &file) {
  const json field = config.value("target_modules", json());
  std::vector<std::string> targets;
  for (const json &each : field.is_array() ? field : json::array({field})) {
    const std::string name = each.is_string() ? each.get<std::string>() : "";
    const bool pattern = name.find_first_of("*+?()[]|\\^$") != std::string::npos;
    if (name.empty() || pattern)
      refuse(file, "target_modules",
             each.dump() + " is not supported; list the names of modules, as \"q_proj\"");
    targets.push_back(name);
  }
  std::sort(targets.begin(), targets.end());
  return targets;
}

fs::path find_base(const json &config, const fs::path &folder, const fs::path &file) {
  const json name = config.value("base_model_name_or_path", json());
  if (!name.is_string() || name.get<std::string>().empty())
    refuse(file, "base_model_name_or_path",
           "is missing; write the folder of the model that the adapters stand on");
  const fs::path given = name.get<std::string>();
  for (const fs::path &place : {given, folder / given})
    if (fs::is_directory(place)) return place;
  refuse(file, "base_model_name_or_path",
         name.dump() + " is no folder here; write the path of the model's folder in its place");
}

}  // namespace

stored_adapter read_adapter_config(const fs::path &folder) {
  const fs::path file = folder / "adapter_config.json";
  const json config = read_json(file);
  if (!config.is_object()) throw input_error(file.string() + ": error: must hold a JSON object");
  for (const fixed_field &field : fixed_fields) {
    const auto found = config.find(field.name);
    const json allowed = json::parse(field.only);
    if (found != config.end() && !found->is_null() &&
        std::find(allowed.begin(), allowed.end(), *found) == allowed.end())
      refuse(file, field.name, found->dump() + " is not supported (" + allowed.front().dump() + " is)");
  }
  refuse_unknown(config, file);
  stored_adapter adapter;
  const double rank = positive(config, file, "r");
  if (rank != static_cast<double>(static_cast<std::int64_t>(rank)) || rank > 65536)
    refuse(file, "r", "must be a whole number from 1 to 65536");
  adapter.spec.rank = static_cast<std::int64_t>(rank);
  adapter.spec.alpha = positive(config, file, "lora_alpha");
  adapter.spec.rank_stabilised = config.value("use_rslora", json(false)) == true;
  adapter.spec.targets = read_targets(config, file);
  adapter.base = find_base(config, folder, file);
  if (fs::exists(adapter.base / "adapter_config.json"))
    refuse(file, "base_model_name_or_path",
           "names adapters, not a model; merge those with slipstream export first");
  return adapter;
}

bool holds_score_head(const fs::path &folder) {
  return safetensors_file(folder / "adapter_model.safetensors")
      .tensors()
      .contains("base_model.model.score.weight");
}

namespace {

// As PEFT understands them: its "all-linear" is a word of its own and matches nothing in a list.
std::vector<std::string> target_modules(const model_spec &spec, const adapter_spec &adapter) {
  std::set<std::string> names(adapter.targets.begin(), adapter.targets.end());
  if (names.erase("all-linear") == 0) return adapter.targets;
  constexpr std::string_view end = ".lora_A.weight";
  const adapter_spec all{adapter.rank, adapter.alpha, adapter.rank_stabilised, {"all-linear"}};
  for (const auto &slot : adapter_layout(spec, all)) {
    if (!slot.name.ends_with(end)) continue;
    const auto module = slot.name.substr(0, slot.name.size() - end.size());
    names.insert(module.substr(module.rfind('.') + 1));
  }
  return {names.begin(), names.end()};
}

}  // namespace

json to_adapter_config(const model_spec &spec, const stored_adapter &adapter) {
  const family *row = find_family(spec.model_type);
  return {{"peft_type", "LORA"},
          {"task_type", spec.labels > 0 ? "SEQ_CLS" : "CAUSAL_LM"},
          {"base_model_name_or_path", adapter.base.string()},
          {"r", adapter.spec.rank},
          {"lora_alpha", adapter.spec.alpha},
          {"lora_dropout", 0.0},
          {"use_rslora", adapter.spec.rank_stabilised},
          {"use_dora", false},
          {"target_modules", target_modules(spec, adapter.spec)},
          {"modules_to_save", spec.labels > 0 ? json({"score"}) : json(nullptr)},
          {"bias", "none"},
          {"fan_in_fan_out", row && row->tensors.transposed},
          {"init_lora_weights", true},
          {"inference_mode", true}};
}

}  // namespace slipstream

#include <ATen/core/Tensor.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/network/spec.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

json base() {
  return {{"model_type", "llama"},     {"vocab_size", 100},         {"hidden_size", 48},
          {"intermediate_size", 112},  {"num_hidden_layers", 2},    {"num_attention_heads", 4},
          {"num_key_value_heads", 2},  {"rope_theta", 5000.0},      {"tie_word_embeddings", true},
          {"torch_dtype", "bfloat16"}, {"eos_token_id", {2, 5, 7}}, {"bos_token_id", nullptr}};
}

model_spec read(const json &config) {
  const test::scratch folder;
  const auto file = folder.path() / "config.json";
  std::ofstream(file) << config.dump();
  return read_spec(file);
}

std::string refusal(const json &changes) {
  json config = base();
  config.merge_patch(changes);
  try {
    read(config);
  } catch (const input_error &e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a configuration of transformers 4 or 5 is read alike") {
  json config = base();
  const model_spec spec = read(config);
  CHECK(spec.head_dim == 12);
  CHECK(spec.kv_heads == 2);
  CHECK(spec.rope_theta == 5000.0);
  CHECK(spec.norm_eps == 1e-6);
  CHECK(spec.max_positions == 2048);
  CHECK(spec.tied_embeddings);
  CHECK(spec.labels == 0);
  CHECK(spec.eos_tokens == std::vector<std::int64_t>{2, 5, 7});
  CHECK(spec.bos_token == -1);
  config.erase("rope_theta");
  config.erase("torch_dtype");
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5000.0}};
  config["dtype"] = "float32";
  CHECK(read(config) == spec);
}

TEST_CASE("what is written is read back, for every family") {
  const std::string type = GENERATE("llama", "mistral", "qwen2", "qwen3");
  json config = base();
  config["model_type"] = type;
  config["sliding_window"] = type == "mistral" ? json(8) : json(nullptr);
  if (type.starts_with("qwen"))
    config.merge_patch(
        json::parse(R"({"use_sliding_window": true, "sliding_window": 5, "max_window_layers": 1})"));
  if (type == "llama")
    config.merge_patch(
        json::parse(R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64}, "attention_bias": true})"));
  model_spec spec = read(config);
  spec.labels = GENERATE(0, 1);
  spec.pad_token = 9;
  CHECK(read(to_config(spec)) == spec);
  CHECK(spec.qkv_bias == (type == "llama" || type == "qwen2"));
  CHECK(spec.output_bias == (type == "llama"));
  CHECK(spec.windows == (type == "llama"     ? std::vector<std::int64_t>{}
                         : type == "mistral" ? std::vector<std::int64_t>{8, 8}
                                             : std::vector<std::int64_t>{0, 5}));
}

TEST_CASE("GPT-2's names are read, and what it leaves out is what transformers assumes") {
  const json config{
      {"model_type", "gpt2"}, {"vocab_size", 160}, {"n_embd", 48}, {"n_layer", 2}, {"n_head", 4}};
  const model_spec spec = read(config);
  CHECK(spec.intermediate_size == 192);
  CHECK(spec.max_positions == 1024);
  CHECK(spec.kv_heads == 4);
  CHECK(spec.head_dim == 12);
  CHECK(spec.norm_eps == 1e-5);
  CHECK(spec.tied_embeddings);
  CHECK(spec.norm == norm_kind::layer);
  CHECK(read(to_config(spec)) == spec);
}

TEST_CASE("what config.json leaves out is what transformers assumes for the family") {
  json config = base();
  for (const char *absent : {"num_key_value_heads", "tie_word_embeddings", "rope_theta", "sliding_window"})
    config.erase(absent);
  config["num_attention_heads"] = 8;
  config["model_type"] = "mistral";
  CHECK(read(config).kv_heads == 8);
  CHECK(read(config).windows == std::vector<std::int64_t>{4096, 4096});
  CHECK_FALSE(read(config).tied_embeddings);
  config["sliding_window"] = nullptr;
  CHECK(read(config).windows.empty());
  config["model_type"] = "qwen3", config["num_key_value_heads"] = 4;
  CHECK(read(config).head_dim == 128);
}

TEST_CASE(
    "a null, a name of another version and a number that nobody needs mean what transformers makes of them") {
  json config = base();
  config["num_attention_heads"] = 4, config["num_key_value_heads"] = nullptr;
  config["initializer_range"] = 0.0;
  for (const char *type : {"llama", "mistral", "qwen2"}) {
    config["model_type"] = type;
    CHECK(read(config).kv_heads == 4);
  }
  config["model_type"] = "qwen3", config["head_dim"] = nullptr;
  CHECK(read(config).head_dim == 12);
  config["use_sliding_window"] = true, config["sliding_window"] = 4, config["max_window_layers"] = 0;
  CHECK(read(config).windows == std::vector<std::int64_t>{4, 4});
  config["sliding_window"] = nullptr, config["architectures"] = json::array();
  CHECK(read(config).windows.empty());
  for (const char *type : {"torch.float32", "torch.bfloat16", "float64"}) {
    config["torch_dtype"] = type;
    CHECK(read(config).initializer_range == 0);
  }
}

TEST_CASE("both spellings of scaled rotary positions are read alike") {
  json old = base(), fresh = base();
  old["rope_scaling"] = json::parse(R"({"type": "linear", "factor": 4.0})");
  fresh.erase("rope_theta");
  fresh["rope_parameters"] = json::parse(R"({"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0})");
  CHECK(read(old) == read(fresh));
  CHECK(read(old).rope.factor == 4.0);
  const auto plain = rotary_frequencies(read(base())), slow = rotary_frequencies(read(old));
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(slow[i] == Approx(plain[i] / 4));
}

TEST_CASE("what would change the numbers and is not supported is refused by name") {
  const auto [changes, field] = GENERATE(table<std::string, std::string>({
      {R"({"model_type": "gpt_neox"})",
       "model_type: \"gpt_neox\" is not supported; supported are: llama, mistral"},
      {R"({"model_type": null})", "model_type: is missing"},
      {R"({"vocab_size": null})", "vocab_size: is missing"},
      {R"({"hidden_size": "48"})", "hidden_size: must be a whole number"},
      {R"({"hidden_size": 1e3})", "hidden_size: must be a whole number"},
      {R"({"num_hidden_layers": 0})", "num_hidden_layers"},
      {R"({"num_hidden_layers": 100000})", "num_hidden_layers"},
      {R"({"vocab_size": 99999999999})", "vocab_size"},
      {R"({"num_key_value_heads": 3})", "num_key_value_heads"},
      {R"({"num_attention_heads": 5, "num_key_value_heads": 5})", "num_attention_heads"},
      {R"({"head_dim": 7})", "head_dim"},
      {R"({"hidden_act": "gelu"})", "hidden_act: \"gelu\" is not supported"},
      {R"({"is_encoder_decoder": true})", "is_encoder_decoder"},
      {R"({"layer_types": ["full_attention"]})", "layer_types: must list each of the 2 layers"},
      {R"({"layer_types": ["full_attention", "chunked_attention"]})", "layer_types: \"chunked_attention\""},
      {R"({"architectures": ["LlamaForTokenClassification"]})",
       "architectures: \"LlamaForTokenClassification\""},
      {R"({"sliding_window": 128})", "sliding_window"},
      {R"({"quantization_config": {"bits": 4}})", "quantization_config"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})",
       "rope_scaling.low_freq_factor: is missing"},
      {R"({"rope_scaling": {"type": "linear"}})", "rope_scaling.factor: is missing"},
      {R"({"rope_scaling": {"type": "dynamic", "factor": 2.0}})", "rope_scaling.type: \"dynamic\""},
      {R"({"rope_parameters": {"full_attention": {"rope_theta": 1.0}}})", "rope_parameters.full_attention"},
      {R"({"rope_parameters": {"rope_type": "yarn"}})", "rope_parameters.rope_type"},
      {R"({"rope_parameters": {"partial_rotary_factor": 0.5}})", "rope_parameters.partial_rotary_factor"},
      {R"({"rope_theta": -1})", "rope_theta"},
      {R"({"rms_norm_eps": "x"})", "rms_norm_eps"},
      {R"({"torch_dtype": "int8"})", "torch_dtype"},
      {R"({"torch_dtype": "torch.int8"})", "torch_dtype"},
      {R"({"max_window_layers": -1, "use_sliding_window": true, "model_type": "qwen2"})",
       "max_window_layers"},
      {R"({"initializer_range": -0.1})", "initializer_range"},
      {R"({"tie_word_embeddings": 1})", "tie_word_embeddings: must be true or false"},
      {R"({"eos_token_id": "</s>"})", "eos_token_id"},
      {R"({"architectures": ["LlamaForSequenceClassification"]})", "num_labels"},
  }));
  CHECK_THAT(refusal(json::parse(changes)),
             test::Contains("config.json: error: " + field.substr(0, 8)) && test::Contains(field));
}

TEST_CASE("a file that is no JSON object is refused with its place") {
  const test::scratch folder;
  const auto file = folder.path() / "config.json";
  const auto message = [&](const std::string &text) {
    std::ofstream(file) << text;
    try {
      read_spec(file);
    } catch (const input_error &e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK_THAT(message("{\"a\": 1,\n  \"b\" 2}"), test::Contains("config.json:2:7: error: not valid JSON"));
  CHECK_THAT(message(""), test::Contains("not valid JSON"));
  CHECK_THAT(message("[1]"), test::Contains("JSON object"));
  CHECK_THAT(message("{\"a\": 1, \"a\": 2}"), test::Contains("\"a\" is given twice"));
  CHECK_THAT(message("{\"a\":" + std::string(100000, '[')), test::Contains("nested deeper than 64"));
  CHECK_THAT(message("{\"a\": 1,\n  \"b\": 1e999}"),
             test::Contains("config.json:2:8: error: the number 1e999 is out of range"));
  CHECK_THROWS_AS(read_spec(folder.path() / "none.json"), input_error);
}

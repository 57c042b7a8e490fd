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
  CHECK(spec.eos_token == 2);
  CHECK(spec.bos_token == -1);
  config.erase("rope_theta");
  config.erase("torch_dtype");
  config["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5000.0}};
  config["dtype"] = "float32";
  CHECK(read(config) == spec);
}

TEST_CASE("what is written is read back") {
  model_spec spec = read(base());
  spec.labels = GENERATE(0, 1);
  spec.attention_bias = true;
  spec.pad_token = 9;
  CHECK(read(to_config(spec)) == spec);
}

TEST_CASE("what would change the numbers and is not supported is refused by name") {
  const auto [changes, field] = GENERATE(table<std::string, std::string>({
      {R"({"model_type": "gpt_neox"})", "model_type: \"gpt_neox\" is not supported; supported are: llama"},
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
      {R"({"attention_dropout": 0.1})", "attention_dropout"},
      {R"({"sliding_window": 128})", "sliding_window"},
      {R"({"quantization_config": {"bits": 4}})", "quantization_config"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}})", "rope_scaling.rope_type: \"llama3\""},
      {R"({"rope_scaling": {"type": "linear", "factor": 2.0}})", "rope_scaling.type: \"linear\""},
      {R"({"rope_parameters": {"rope_type": "yarn"}})", "rope_parameters.rope_type"},
      {R"({"rope_parameters": {"partial_rotary_factor": 0.5}})", "rope_parameters.partial_rotary_factor"},
      {R"({"rope_theta": -1})", "rope_theta"},
      {R"({"rms_norm_eps": "x"})", "rms_norm_eps"},
      {R"({"torch_dtype": "int8"})", "torch_dtype"},
      {R"({"tie_word_embeddings": 1})", "tie_word_embeddings: must be true or false"},
      {R"({"eos_token_id": "</s>"})", "eos_token_id"},
      {R"({"architectures": ["LlamaForSequenceClassification"]})", "num_labels"},
  }));
  CHECK_THAT(refusal(json::parse(changes)),
             Catch::Contains("config.json: error: " + field.substr(0, 8)) && Catch::Contains(field));
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
  CHECK_THAT(message("{\"a\": 1,\n  \"b\" 2}"), Catch::Contains("config.json:2:7: error: not valid JSON"));
  CHECK_THAT(message(""), Catch::Contains("not valid JSON"));
  CHECK_THAT(message("[1]"), Catch::Contains("JSON object"));
  CHECK_THAT(message("{\"a\": 1, \"a\": 2}"), Catch::Contains("\"a\" is given twice"));
  CHECK_THAT(message("{\"a\":" + std::string(100000, '[')), Catch::Contains("nested deeper than 64"));
  CHECK_THROWS_AS(read_spec(folder.path() / "none.json"), input_error);
}

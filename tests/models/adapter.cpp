#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/json.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/batch.hpp"
#include "models/network/families.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

model_spec small_spec(const std::string &type, std::int64_t labels = 0) {
  model_spec spec;
  apply_family(*find_family(type), spec);
  spec.vocab_size = 19, spec.hidden_size = 24, spec.intermediate_size = 20, spec.layers = 2;
  spec.heads = 4, spec.kv_heads = type == "gpt2" ? 4 : 2, spec.head_dim = 6, spec.max_positions = 40;
  spec.tied_embeddings = type == "gpt2", spec.initializer_range = 0.3, spec.labels = labels;
  return spec;
}

const token_batch batch = pad_tokens({{1, 5, 9, 2}, {3, 3, 7, 11, 18, 4, 0}, {8}}, 0);

at::Tensor uneven(const at::Tensor &values) {
  return values + 0.1 * at::arange(values.numel(), values.options()).cos();
}

double largest(const at::Tensor &x) {
  return x.abs().max().item<double>();
}

}  // namespace

TEST_CASE("fresh adapters change nothing; trained ones compute what the merged weights do") {
  const std::string type = GENERATE("llama", "gpt2");
  const model_spec spec = small_spec(type);
  const adapter_spec lora{3, 6.0, false, {"all-linear"}};
  const at::Tensor base = initial_parameters(spec, 1), fresh = initial_adapter(spec, lora, base, 2);
  const numerics mode = GENERATE(numerics::fast, numerics::exact);
  const transformer plain(spec, base, mode), adapted(spec, base, lora, fresh, mode);
  const at::Tensor before = batch_hidden(plain, batch);
  CHECK(at::equal(batch_hidden(adapted, batch), before));
  const at::Tensor trained = uneven(fresh);
  const transformer apart = adapted.with_trainable(trained);
  const transformer merged(spec, merge_adapter(spec, base, lora, trained), mode);
  const at::Tensor logits = apart.logits(batch_hidden(apart, batch).flatten(0, 1));
  CHECK(largest(batch_hidden(apart, batch) - before) > 0.01);
  CHECK(largest(merged.logits(batch_hidden(merged, batch).flatten(0, 1)) - logits) < 1e-5 * largest(logits));
  CHECK(apart.flat().data_ptr() == base.data_ptr());
}

TEST_CASE("only the adapters train, and their gradients agree with finite differences") {
  const std::string type = GENERATE("llama", "gpt2");
  const model_spec spec = small_spec(type);
  const adapter_spec lora = type == "gpt2" ? adapter_spec{2, 2.0, true, {"c_attn", "c_fc"}}
                                           : adapter_spec{2, 2.0, true, {"v_proj", "down_proj"}};
  const at::Tensor base = initial_parameters(spec, 1).to(at::kDouble);
  const at::Tensor values = uneven(initial_adapter(spec, lora, base, 2).to(at::kDouble));
  const auto loss = [&](const transformer &model) {
    const at::Tensor all = batch_logprobs(model, batch, 1.0).logprobs;
    return (all * at::arange(all.numel(), all.options()).sin().view_as(all)).sum();
  };
  transformer model(spec, base, lora, values, numerics::fast);
  const at::Tensor gradient = at::zeros_like(values);
  model.train_into(gradient);
  loss(model).backward();
  for (const parameter_slot &slot : model.trainable_layout()) {
    const std::int64_t i = slot.offset + slot.count() / 2;
    const double kept = values[i].item<double>(), step = 1e-5;
    const transformer frozen(spec, base, lora, values, numerics::fast);
    values[i] = kept + step;
    const double above = loss(frozen).item<double>();
    values[i] = kept - step;
    const double below = loss(frozen).item<double>();
    values[i] = kept;
    INFO(slot.name);
    CHECK(gradient[i].item<double>() == Approx((above - below) / (2 * step)).epsilon(1e-5).margin(1e-7));
  }
}

TEST_CASE("adapters are saved and read in PEFT's format") {
  const test::scratch folder;
  const std::int64_t labels = GENERATE(0, 1);
  checkpoint model;
  model.spec = small_spec("llama", labels);
  model.flat = initial_parameters(model.spec, 1);
  save_checkpoint(folder.path() / "base", model, {}, "");
  const adapter_spec lora{4, 8.0, false, {"q_proj", "v_proj"}};
  model.adapter = {lora, uneven(initial_adapter(model.spec, lora, model.flat, 3)), folder.path() / "base"};
  model.spec.eos_tokens = {2, 3};  // a run's chat template may add to the base's
  save_checkpoint(folder.path() / "tuned", model, {}, "");

  const safetensors_file stored(folder.path() / "tuned" / "adapter_model.safetensors");
  CHECK(stored.tensors().at("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight").shape ==
        std::vector<std::int64_t>{4, 24});
  CHECK(stored.tensors().at("base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight").shape ==
        std::vector<std::int64_t>{12, 4});
  CHECK(stored.tensors().contains("base_model.model.score.weight") == (labels == 1));
  CHECK_FALSE(std::filesystem::exists(folder.path() / "tuned" / "model.safetensors"));
  const json config = read_json(folder.path() / "tuned" / "adapter_config.json");
  CHECK(config.at("r") == 4);
  CHECK(config.at("task_type") == (labels == 1 ? "SEQ_CLS" : "CAUSAL_LM"));

  verify_checkpoint(folder.path() / "tuned");
  const checkpoint back = load_checkpoint(folder.path() / "tuned");
  CHECK(back.spec == model.spec);
  CHECK(back.adapter->spec == lora);
  CHECK(at::equal(back.adapter->values, model.adapter->values));
  CHECK(at::equal(back.flat, model.flat));
}

TEST_CASE("all-linear is written as the modules that PEFT then adapts") {
  const test::scratch folder;
  const std::string type = GENERATE("llama", "gpt2");
  checkpoint model;
  model.spec = small_spec(type);
  model.flat = initial_parameters(model.spec, 1);
  save_checkpoint(folder.path() / "base", model, {}, "");
  const adapter_spec lora{2, 4.0, false, {"all-linear"}};
  model.adapter = {lora, uneven(initial_adapter(model.spec, lora, model.flat, 3)), folder.path() / "base"};
  save_checkpoint(folder.path() / "tuned", model, {}, "");
  const json targets = read_json(folder.path() / "tuned" / "adapter_config.json").at("target_modules");
  CHECK(targets == (type == "gpt2"
                        ? json{"c_attn", "c_fc", "c_proj"}
                        : json{"down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"}));
  const checkpoint back = load_checkpoint(folder.path() / "tuned");
  CHECK(at::equal(back.adapter->values, model.adapter->values));
  CHECK(adapter_layout(back.spec, back.adapter->spec).size() == adapter_layout(model.spec, lora).size());
}

TEST_CASE("adapters that change the numbers in ways not supported are refused by name") {
  const test::scratch folder;
  checkpoint model;
  model.spec = small_spec("llama");
  model.flat = initial_parameters(model.spec, 1);
  save_checkpoint(folder.path() / "base", model, {}, "");
  const adapter_spec lora{4, 8.0, false, {"q_proj", "v_proj"}};
  model.adapter = {lora, initial_adapter(model.spec, lora, model.flat, 3), folder.path() / "base"};
  save_checkpoint(folder.path() / "tuned", model, {}, "");
  const auto file = folder.path() / "tuned" / "adapter_config.json";
  const json good = read_json(file);
  const auto [changes, field] = GENERATE(table<std::string, std::string>({
      {R"({"peft_type": "IA3"})", "peft_type: \"IA3\" is not supported"},
      {R"({"use_dora": true})", "use_dora"},
      {R"({"bias": "all"})", "bias"},
      {R"({"r": 0})", "r: must be"},
      {R"({"r": 2.5})", "r: must be"},
      {R"({"rank_pattern": {"q_proj": 2}})", "rank_pattern"},
      {R"({"modules_to_save": ["embed_tokens"]})", "modules_to_save"},
      {R"({"target_modules": ".*_proj"})", "target_modules"},
      {R"({"target_modules": ["query"]})", "LoRA target \"query\" names no linear layer"},
      {R"({"target_modules": ["q_proj"]})", "v_proj.lora_A.weight has no place"},
      {R"({"target_modules": ["q_proj", "v_proj", "o_proj"]})", "o_proj.lora_A.weight is missing"},
      {R"({"use_rslora": 1})", "use_rslora"},
      {R"({"init_lora_weights": "pissa"})", "init_lora_weights"},
      {R"({"alora_invocation_tokens": [5]})", "alora_invocation_tokens"},
      {R"({"a_later_field": 3})", "a_later_field: is not known here"},
      {R"({"r": 2})", "has shape [4, 24], but the configuration says [2, 24]"},
      {R"({"base_model_name_or_path": "nobody/nothing"})",
       "base_model_name_or_path: \"nobody/nothing\" is no folder"},
  }));
  json config = good;
  config.merge_patch(json::parse(changes));
  std::ofstream(file) << config.dump();
  std::string message;
  try {
    verify_checkpoint(folder.path() / "tuned");
  } catch (const input_error &problem) {
    message = problem.what();
  }
  CHECK_THAT(message, test::Contains(field));
}

#include <ATen/ATen.h>

#include <cstring>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/gguf/blocks.hpp"
#include "models/files/gguf/file.hpp"
#include "models/files/gguf/rope.hpp"
#include "models/files/json.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/batch.hpp"
#include "tests/support/gguf_builder.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

// llama.cpp's order of the rows of queries and keys, as its converter makes it.
at::Tensor permuted(const at::Tensor &weight, std::int64_t heads) {
  auto sizes = weight.sizes().vec();
  std::vector<std::int64_t> split{heads, 2, sizes[0] / heads / 2};
  split.insert(split.end(), sizes.begin() + 1, sizes.end());
  return weight.view(split).transpose(1, 2).reshape(sizes);
}

void put(test::gguf_builder &to, const std::string &name, const at::Tensor &given) {
  const at::Tensor values = given.to(at::kFloat).contiguous();
  std::vector<std::uint64_t> sizes(values.sizes().rbegin(), values.sizes().rend());
  to.floats(name, sizes, {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()});
}

const std::vector<std::pair<std::string, std::string>> names{{"self_attn.q_proj", "attn_q"},
                                                             {"self_attn.k_proj", "attn_k"},
                                                             {"self_attn.v_proj", "attn_v"},
                                                             {"self_attn.o_proj", "attn_output"},
                                                             {"self_attn.q_norm", "attn_q_norm"},
                                                             {"self_attn.k_norm", "attn_k_norm"},
                                                             {"input_layernorm", "attn_norm"},
                                                             {"post_attention_layernorm", "ffn_norm"},
                                                             {"mlp.gate_proj", "ffn_gate"},
                                                             {"mlp.up_proj", "ffn_up"},
                                                             {"mlp.down_proj", "ffn_down"},
                                                             {"ln_1", "attn_norm"},
                                                             {"ln_2", "ffn_norm"},
                                                             {"attn.c_attn", "attn_qkv"},
                                                             {"attn.c_proj", "attn_output"},
                                                             {"mlp.c_fc", "ffn_up"},
                                                             {"mlp.c_proj", "ffn_down"},
                                                             {"model.embed_tokens", "token_embd"},
                                                             {"transformer.wte", "token_embd"},
                                                             {"transformer.wpe", "position_embd"},
                                                             {"model.norm", "output_norm"},
                                                             {"transformer.ln_f", "output_norm"},
                                                             {"lm_head", "output"}};

// "model.layers.0.mlp.up_proj.weight" is "blk.0.ffn_up.weight".
std::string gguf_name(const std::string &name) {
  for (const auto &[from, to] : names) {
    const auto at = name.find(from + ".");
    if (at == std::string::npos || (at > 0 && name[at - 1] != '.')) continue;
    const auto end = name.substr(at + from.size());
    if (at == 0) return to + end;
    const auto layer = name.substr(0, at - 1);
    return "blk." + layer.substr(layer.rfind('.') + 1) + "." + to + end;
  }
  return "";
}

// A folder of reference values as llama.cpp's converter would write it.
test::gguf_builder converted(const std::string &name) {
  const auto folder = test::golden("models/" + name);
  const auto config = read_json(folder / "config.json");
  const std::string type = config["model_type"];
  test::gguf_builder made;
  made.text("general.architecture", type);
  const auto whole = [&](const char *key, const char *field) {
    if (config.contains(field)) made.whole(type + "." + key, config[field].get<std::uint32_t>());
  };
  const bool gpt2 = type == "gpt2";
  whole("context_length", gpt2 ? "n_positions" : "max_position_embeddings");
  whole("embedding_length", gpt2 ? "n_embd" : "hidden_size");
  whole("block_count", gpt2 ? "n_layer" : "num_hidden_layers");
  whole("attention.head_count", gpt2 ? "n_head" : "num_attention_heads");
  made.whole(type + ".feed_forward_length", 4 * config.value("n_embd", 0u));
  whole("feed_forward_length", "intermediate_size");
  whole("attention.head_count_kv", "num_key_value_heads");
  whole("attention.key_length", "head_dim");
  made.number(type + (gpt2 ? ".attention.layer_norm_epsilon" : ".attention.layer_norm_rms_epsilon"),
              config[gpt2 ? "layer_norm_epsilon" : "rms_norm_eps"]);
  if (!gpt2) {
    const auto theta =
        config.contains("rope_parameters") ? config["rope_parameters"]["rope_theta"] : config["rope_theta"];
    made.number(type + ".rope.freq_base", theta);
  }
  const safetensors_file stored(folder / "model.safetensors");
  for (const auto &[tensor, entry] : stored.tensors()) {
    const auto to = gguf_name(tensor);
    REQUIRE(!to.empty());
    at::Tensor values = stored.get(tensor).to(at::kFloat);
    if (gpt2 && values.dim() == 2 && tensor.find(".h.") != std::string::npos) values = values.t();
    if (type == "llama" && to.find("attn_q.") != std::string::npos)
      values = permuted(values, config["num_attention_heads"]);
    if (type == "llama" && to.find("attn_k.") != std::string::npos)
      values = permuted(values, config["num_key_value_heads"]);
    put(made, to, values);
  }
  return made;
}

// What llama.cpp's converter writes for Llama 3's rule.
void add_factors(test::gguf_builder &to, const model_spec &spec) {
  model_spec plain = spec;
  plain.rope = {};
  auto factors = rotary_frequencies(plain);
  const auto scaled = rotary_frequencies(spec);
  for (std::size_t i = 0; i < factors.size(); ++i) factors[i] /= scaled[i];
  to.floats("rope_freqs.weight", {factors.size()}, factors);
}

// What is said of a file that cannot be a model; empty where it is one.
std::string refusal_of(const std::filesystem::path &file) {
  try {
    verify_checkpoint(file);
    (void)load_checkpoint(file);
  } catch (const input_error &problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

TEST_CASE("each type's numbers are those of gguf-py to the bit") {
  const gguf_file file(test::data("gguf/types.gguf"));
  const auto expected = test::read_text(test::data("gguf/types.f32"));
  std::size_t at = 0;
  for (const char *type :
       {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"}) {
    INFO(type);
    REQUIRE(file.find_tensor(type));
    std::vector<float> numbers(3 * 512);
    file.read_rows(type, 0, 3, numbers.data());
    REQUIRE(at + 4 * numbers.size() <= expected.size());
    CHECK(std::memcmp(numbers.data(), expected.data() + at, 4 * numbers.size()) == 0);
    std::vector<float> last(512);
    file.read_rows(type, 2, 1, last.data());
    CHECK(std::memcmp(last.data(), numbers.data() + 1024, 4 * 512) == 0);
    at += 4 * numbers.size();
  }
  CHECK(at == expected.size());
}

TEST_CASE("halves go to float32 and back, and are rounded to even") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    CHECK((value != value || float_to_half(value) == half));
    const at::Half theirs(half, at::Half::from_bits());
    CHECK((value != value || value == static_cast<float>(theirs)));
  }
  std::uint64_t seed = 5;
  for (int i = 0; i < 200000; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const auto bits = static_cast<std::uint32_t>(seed >> 32);
    float value;
    std::memcpy(&value, &bits, 4);
    if (value == value) CHECK(float_to_half(value) == at::Half(value).x);
  }
}

TEST_CASE("the networks of a GGUF file give the logits of transformers") {
  const test::scratch place;
  for (const char *name : {"llama", "llama-rope-scaled", "qwen2", "qwen3", "gpt2"}) {
    INFO(name);
    const auto folder = test::golden(std::string("models/") + name);
    auto made = converted(name);
    const auto spec = checkpoint_spec(folder);
    if (spec.rope.type == rope_scaling::kind::llama3) add_factors(made, spec);
    const auto path = place.write(std::string(name) + ".gguf", made.bytes());
    verify_checkpoint(path);
    const auto model = load_checkpoint(path);
    CHECK(model.spec.tied_embeddings == spec.tied_embeddings);
    const safetensors_file expected(folder / "expected.safetensors");
    const token_batch batch{expected.get("input_ids"), expected.get("attention_mask").sum(1)};
    const at::Tensor mask = expected.get("attention_mask").to(at::kBool);
    const at::Tensor logits = expected.get("logits").index({mask});
    const transformer network = model.network(numerics::fast);
    const at::Tensor ours = network.logits(batch_hidden(network, batch).index({mask}));
    CHECK((ours - logits).abs().max().item<double>() < 2e-4 * logits.abs().max().item<double>());
    const auto theirs = load_checkpoint(folder);
    if (spec.rope.type == rope_scaling::kind::none) CHECK(at::equal(theirs.flat, model.flat));
  }
}

TEST_CASE("the rules of rotary factors are found again") {
  model_spec spec;
  spec.head_dim = 64, spec.rope_theta = 500000;
  const auto factors_of = [&](const rope_scaling &rope) {
    model_spec scaled = spec;
    scaled.rope = rope;
    auto factors = rotary_frequencies(spec);
    const auto other = rotary_frequencies(scaled);
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] /= other[i];
    return factors;
  };
  using kind = rope_scaling::kind;
  const rope_scaling usual{kind::llama3, 32, 1, 4, 8192};
  CHECK(scaling_of_factors(factors_of(usual), spec) == usual);
  CHECK(scaling_of_factors(factors_of({}), spec) == rope_scaling{});
  CHECK(scaling_of_factors(factors_of({kind::linear, 4, 1, 4, 8192}), spec) ==
        rope_scaling{kind::linear, 4, 1, 4, 8192});
  for (const std::int64_t width : {8, 12, 16, 64, 128}) {
    spec.head_dim = width;
    for (const rope_scaling &odd : {rope_scaling{kind::llama3, 8, 1, 4, 64},
                                    {kind::llama3, 3, 1, 2, 1000},
                                    {kind::llama3, 16, 2, 9, 4096}}) {
      INFO(width << " " << odd.factor);
      const auto factors = factors_of(odd);
      const auto found = scaling_of_factors(factors, spec);
      REQUIRE(found);
      const auto again = factors_of(*found);
      for (std::size_t i = 0; i < factors.size(); ++i) CHECK(again[i] == Approx(factors[i]).epsilon(1e-4));
    }
  }
  spec.head_dim = 8;
  CHECK(!scaling_of_factors({1, 7, 2, 3}, spec));
  CHECK(!scaling_of_factors({1, 1, 1}, spec));
}

TEST_CASE("a GGUF file is read as a folder with tokenizer and template is") {
  const test::scratch place;
  const auto path = place.write("small.gguf", test::small_gguf().bytes());
  const auto model = load_checkpoint(path);
  REQUIRE(model.text);
  CHECK(model.spec.layers == 2);
  CHECK(model.spec.norm_eps == 1e-5);
  CHECK(model.spec.tied_embeddings);
  CHECK(model.spec.eos_tokens ==
        std::vector<std::int64_t>{1, 2});  // what the template ends answers with, too
  CHECK(model.text->decode(model.text->encode("the 12 then.")) == "the 12 then.");
  const auto the = model.text->encode("the");
  CHECK(the.size() == 1);
  CHECK(model.text->encode("12").size() == 2);
  CHECK(model.text->encode_with_special("the") == the);
  const auto style = load_chat(path);
  REQUIRE(style);
  CHECK(style->name == path.string() + ": chat_template");
}

TEST_CASE("version 2 and both orders of keys are read") {
  const test::scratch place;
  auto made = test::small_gguf();
  made.version = 2;
  std::reverse(made.values.begin(), made.values.end());
  const auto two = load_checkpoint(place.write("two.gguf", made.bytes()));
  const auto three = load_checkpoint(place.write("three.gguf", test::small_gguf().bytes()));
  CHECK(at::equal(two.flat, three.flat));
  made.alignment = 64;
  made.whole("general.alignment", 64);
  CHECK(at::equal(load_checkpoint(place.write("wide.gguf", made.bytes())).flat, three.flat));
}

TEST_CASE("texts begin as the file says, or as llama.cpp assumes") {
  const test::scratch place;
  const auto begins = [&](test::gguf_builder made) {
    const auto model = load_checkpoint(place.write("a.gguf", made.bytes()));
    return model.text->encode_with_special("a").size() > model.text->encode("a").size();
  };
  CHECK(!begins(test::small_gguf()));
  CHECK(begins(test::small_gguf().flag("tokenizer.ggml.add_bos_token", true)));
  CHECK(begins(test::small_gguf().text("tokenizer.ggml.pre", "llama-bpe")));
  CHECK(!begins(test::small_gguf()
                    .text("tokenizer.ggml.pre", "llama-bpe")
                    .flag("tokenizer.ggml.add_bos_token", false)));
  CHECK(!begins(test::small_gguf().text("tokenizer.ggml.pre", "qwen2")));
  CHECK(!begins(test::small_gguf().without("tokenizer.ggml.pre")));
}

TEST_CASE("the end of a turn ends generations beside the end of a text") {
  const test::scratch place;
  auto made = test::small_gguf();
  made.without("tokenizer.chat_template").whole("tokenizer.ggml.eot_token_id", 2);
  const auto model = load_checkpoint(place.write("a.gguf", made.bytes()));
  CHECK(model.text->eos() == 1);
  CHECK(model.spec.eos_tokens == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("a checkpoint of a GGUF file is a folder with its tokenizer and template") {
  const test::scratch place;
  const auto model = load_checkpoint(place.write("small.gguf", test::small_gguf().bytes()));
  save_checkpoint(place / "folder", model, {}, "");
  const auto again = load_checkpoint(place / "folder");
  CHECK(again.spec == model.spec);
  CHECK(at::equal(again.flat, model.flat));
  CHECK(again.text->encode("the then 7") == model.text->encode("the then 7"));
  CHECK(load_chat(place / "folder").has_value());
}

TEST_CASE("a GGUF file that is cut anywhere is refused or read as before") {
  const test::scratch place;
  const auto bytes = test::small_gguf().bytes();
  for (std::size_t size = 1; size + 32 < bytes.size(); size += 37) {
    INFO(size);
    CHECK(!refusal_of(place.write("cut.gguf", bytes.substr(0, size))).empty());
  }
}

TEST_CASE("an empty file and a missing one are refused") {
  const test::scratch place;
  CHECK_THAT(refusal_of(place.write("empty.gguf", "")), test::Contains("is empty"));
  CHECK_THAT(refusal_of(place / "none.gguf"), test::Contains("there is no such"));
}

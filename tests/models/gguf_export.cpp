#include <ATen/ATen.h>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/gguf/file.hpp"
#include "models/files/gguf_export.hpp"
#include "models/network/initial.hpp"
#include "tests/support/gguf_builder.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

std::string refusal_to_export(const checkpoint &model, const std::filesystem::path &file,
                              const std::string &type = "f32") {
  try {
    export_gguf(file, model, file.parent_path(), type);
  } catch (const input_error &problem) {
    return problem.what();
  }
  return "";
}

// A network of a family with rows of 64 and 96, which 32 divides.
checkpoint random_model(const char *family) {
  auto model = load_checkpoint(test::golden(std::string("models/") + family));
  model.spec.hidden_size = 64, model.spec.intermediate_size = 96;
  model.spec.heads = 4, model.spec.kv_heads = 2, model.spec.head_dim = 16;
  model.flat = at::randn({parameter_count(model.spec)});
  return model;
}

}  // namespace

TEST_CASE("a model that is exported as f32 is read again bit for bit, in every family") {
  const test::scratch place;
  for (const char *name : {"llama", "llama-rope-scaled", "qwen2", "qwen3", "gpt2"}) {
    INFO(name);
    const auto folder = test::golden(std::string("models/") + name);
    const auto model = load_checkpoint(folder);
    const auto file = place / (std::string(name) + ".gguf");
    export_gguf(file, model, folder, "f32");
    const auto again = load_checkpoint(file);
    CHECK(at::equal(again.flat, model.flat));
    auto spec = again.spec;
    spec.eos_tokens = model.spec.eos_tokens, spec.bos_token = model.spec.bos_token,
    spec.pad_token = model.spec.pad_token;
    spec.initializer_range = model.spec.initializer_range;
    spec.norm_eps = model.spec.norm_eps;
    if (spec.rope.type == rope_scaling::kind::llama3) {
      const auto ours = rotary_frequencies(spec), theirs = rotary_frequencies(model.spec);
      for (std::size_t i = 0; i < ours.size(); ++i) CHECK(ours[i] == Approx(theirs[i]).epsilon(1e-4));
      spec.rope = model.spec.rope;
    }
    CHECK(spec == model.spec);
  }
}

TEST_CASE("the types that are written keep their quantum") {
  const test::scratch place;
  const auto model = random_model("llama");
  const auto layout = parameter_layout(model.spec);
  for (const auto &[type, quantum] :
       {std::pair{"f16", 1.0 / 2048}, {"bf16", 1.0 / 256}, {"q8_0", 0.6 / 127}}) {
    INFO(type);
    const auto file = place / (std::string(type) + ".gguf");
    export_gguf(file, model, file, type);
    const auto again = load_checkpoint(file);
    for (const auto &slot : layout) {
      const auto before = model.flat.narrow(0, slot.offset, slot.count()),
                 after = again.flat.narrow(0, slot.offset, slot.count());
      if (slot.shape.size() < 2) {
        CHECK(at::equal(before, after));
        continue;
      }
      CHECK_FALSE(at::equal(before, after));
      const double most = before.abs().max().item<double>();
      CHECK((before - after).abs().max().item<double>() <= most * quantum);
    }
    export_gguf(place / (std::string(type) + "-again.gguf"), again, file, type);
    CHECK(test::read_text(place / (std::string(type) + "-again.gguf")) == test::read_text(file));
  }
}

TEST_CASE("rows that 32 does not divide fall back to f16") {
  const test::scratch place;
  const auto model = load_checkpoint(test::golden("models/llama-rope-scaled"));  // rows of 48 and 112
  export_gguf(place / "a.gguf", model, place.path(), "q8_0");
  const gguf_file file(place / "a.gguf");
  CHECK(file.find_tensor("blk.0.attn_q.weight")->type->name == std::string("F16"));
  CHECK(file.find_tensor("blk.0.attn_norm.weight")->type->name == std::string("F32"));
  export_gguf(place / "b.gguf", random_model("llama"), place.path(), "q8_0");
  CHECK(gguf_file(place / "b.gguf").find_tensor("blk.0.attn_q.weight")->type->name == std::string("Q8_0"));
}

TEST_CASE("tokenizer, ends and chat template go out and come in again") {
  const test::scratch place;
  auto made = test::small_gguf();
  made.flag("tokenizer.ggml.add_bos_token", true);
  const auto first = place.write("first.gguf", made.bytes());
  const auto model = load_checkpoint(first);
  save_checkpoint(place / "folder", model, {}, "");
  export_gguf(place / "second.gguf", load_checkpoint(place / "folder"), place / "folder", "f32");
  const gguf_file one(first), two(place / "second.gguf");
  CHECK(two.texts("tokenizer.ggml.tokens") == one.texts("tokenizer.ggml.tokens"));
  CHECK(two.texts("tokenizer.ggml.merges") == one.texts("tokenizer.ggml.merges"));
  CHECK(two.wholes("tokenizer.ggml.token_type") == one.wholes("tokenizer.ggml.token_type"));
  CHECK(two.text("tokenizer.ggml.pre") == "smollm");
  CHECK(two.text("tokenizer.chat_template") == one.text("tokenizer.chat_template"));
  CHECK(two.flag("tokenizer.ggml.add_bos_token") == true);
  CHECK(two.flag("tokenizer.ggml.add_eos_token") == false);
  CHECK(two.whole("tokenizer.ggml.eos_token_id") == 1);
  CHECK(two.whole("tokenizer.ggml.eot_token_id") == 2);  // the template's end of an answer
  const auto again = load_checkpoint(place / "second.gguf");
  CHECK(at::equal(again.flat, model.flat));
  CHECK(again.text->encode_with_special("the 12.") == model.text->encode_with_special("the 12."));
}

TEST_CASE("what a GGUF file would lose is refused and nothing is written") {
  const test::scratch place;
  auto model = random_model("llama");
  const auto file = place / "a.gguf";
  model.spec.windows.assign(static_cast<std::size_t>(model.spec.layers), 16);
  CHECK_THAT(refusal_to_export(model, file), test::Contains("sliding_window cannot be said"));
  model.spec.windows.clear();
  CHECK_THAT(refusal_to_export(model, file, "q4_0"), test::Contains("--type: \"q4_0\" cannot be written"));
  CHECK_THAT(refusal_to_export(load_checkpoint(test::golden("models/llama-reward")), file),
             test::Contains("score head"));
  auto qwen = random_model("qwen2");
  qwen.spec.rope = {rope_scaling::kind::llama3, 8, 1, 4, 64};
  CHECK_THAT(refusal_to_export(qwen, file), test::Contains("llama3"));
  model.text = make_character_tokenizer("abc");
  model.text->save(place.path());
  CHECK_THAT(refusal_to_export(model, file), test::Contains("byte-level BPE"));
  model.text = nullptr;
  model.flat[5] = 1e6;
  CHECK_THAT(refusal_to_export(model, file, "f16"), test::Contains("which F16 cannot"));
  CHECK_FALSE(std::filesystem::exists(file));
  CHECK(refusal_to_export(model, file).empty());
  CHECK_THAT(refusal_to_export(model, file), test::Contains("is there already"));
}

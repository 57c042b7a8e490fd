#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/transformer.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
namespace fs = std::filesystem;

namespace {

checkpoint made_up(std::int64_t labels = 0, bool tied = true) {
  checkpoint model;
  model.text = make_character_tokenizer("0123456789=<>");
  model.spec.vocab_size = model.text->vocab_size();
  model.spec.hidden_size = 8, model.spec.intermediate_size = 12, model.spec.layers = 2, model.spec.heads = 2;
  model.spec.kv_heads = 1, model.spec.head_dim = 4, model.spec.max_positions = 16;
  model.spec.tied_embeddings = tied, model.spec.labels = labels, model.spec.eos_tokens = {2};
  model.flat = initial_parameters(model.spec, 7);
  return model;
}

std::string refusal(const fs::path &folder) {
  try {
    verify_checkpoint(folder);
  } catch (const input_error &e) {
    return e.what();
  }
  return "";
}

std::string text_of(const fs::path &file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a checkpoint comes back as it was, in a folder of which only itself is left") {
  const test::scratch folder;
  const checkpoint model = made_up(GENERATE(0, 1), GENERATE(false, true));
  const fs::path place = folder.path() / "deep" / "last";
  save_checkpoint(place, model, {{"step", at::arange(3, at::kLong)}}, "{\"version\": 1}");
  save_checkpoint(place / "", model, {{"step", at::arange(4, at::kLong)}},
                  "{\"version\": 2}");  // over the first
  verify_checkpoint(place);
  const checkpoint back = load_checkpoint(place);
  CHECK(back.spec == model.spec);
  CHECK(at::equal(back.flat, model.flat));
  REQUIRE(back.text);
  CHECK(back.text->encode("12=") == model.text->encode("12="));
  CHECK(safetensors_file(place / "optimizer.safetensors").get("step").size(0) == 4);
  CHECK(text_of(place / "slipstream.json") == "{\"version\": 2}");
  CHECK(nlohmann::json::parse(text_of(place / "generation_config.json")).at("eos_token_id") == 2);
  CHECK(std::distance(fs::directory_iterator(place.parent_path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a loaded model stops at what its folder's chat template ends answers with") {
  const test::scratch folder;
  const fs::path place = folder.path() / "last";
  save_checkpoint(place, made_up(), {}, "");
  CHECK(load_checkpoint(place).spec.eos_tokens == std::vector<std::int64_t>{2});
  folder.write("last/chat_template.jinja", "{% for m in messages %}{{ m.content }}<pad>{% endfor %}");
  CHECK(load_checkpoint(place).spec.eos_tokens == std::vector<std::int64_t>{2, 0});
}

TEST_CASE(
    "a save that is cut off before the rename leaves the old folder whole, and the next save clears up") {
  const test::scratch folder;
  const fs::path place = folder.path() / "last";
  checkpoint model = made_up();
  save_checkpoint(place, model, {}, "");
  const at::Tensor old = model.flat;
  fs::create_directory(folder.path() / ".last.new");  // what a killed save leaves behind
  std::ofstream(folder.path() / ".last.new" / "model.safetensors") << "half";
  CHECK(at::equal(load_checkpoint(place).flat, old));

  model.flat = at::zeros_like(old);
  model.text = nullptr;
  save_checkpoint(place, model, {}, "");
  CHECK(at::equal(load_checkpoint(place).flat, model.flat));
  CHECK_FALSE(load_checkpoint(place).text);
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);

  model.flat = at::zeros({3});  // cannot be cut into parameters: the save fails half-way
  CHECK_THROWS(save_checkpoint(place, model, {}, ""));
  CHECK(load_checkpoint(place).flat.numel() == old.numel());
}

TEST_CASE("a score head is made where the folder has none, and kept where it has one") {
  const test::scratch folder;
  const checkpoint model = made_up(0, GENERATE(false, true));
  save_checkpoint(folder.path() / "policy", model, {}, "");
  CHECK(checkpoint_spec(folder.path() / "policy", 1).labels == 1);
  checkpoint reward = load_checkpoint(folder.path() / "policy", 1);
  const std::int64_t body = reward.flat.numel() - reward.spec.hidden_size;
  CHECK(at::equal(reward.flat.narrow(0, 0, body), model.flat.narrow(0, 0, body)));
  CHECK(reward.flat.narrow(0, body, reward.spec.hidden_size).abs().max().item<float>() == 0);
  reward.flat.narrow(0, body, reward.spec.hidden_size).fill_(3);
  save_checkpoint(folder.path() / "reward", reward, {}, "");
  CHECK(at::equal(load_checkpoint(folder.path() / "reward").flat, reward.flat));
  CHECK(load_checkpoint(folder.path() / "reward").spec.labels == 1);
}

TEST_CASE("weights in several files and in half precision are read") {
  const test::scratch folder;
  const fs::path place = folder.path() / "model";
  const checkpoint model = made_up();
  save_checkpoint(place, model, {}, "");
  nlohmann::json index{{"metadata", {{"total_size", 1}}}};
  named_tensors parts[2];
  const auto type = GENERATE(at::kHalf, at::kBFloat16);
  {
    const safetensors_file whole(place / "model.safetensors");
    for (const auto &[name, tensor] : whole.tensors()) {
      const std::size_t part = name.size() % 2;
      parts[part].emplace_back(name, whole.get(name).to(type));
      index["weight_map"][name] = part ? "b.safetensors" : "a.safetensors";
    }
  }
  write_safetensors(place / "a.safetensors", parts[0]);
  write_safetensors(place / "b.safetensors", parts[1]);
  fs::remove(place / "model.safetensors");
  std::ofstream(place / "model.safetensors.index.json") << index.dump();
  CHECK(at::equal(load_checkpoint(place).flat, model.flat.to(type).to(at::kFloat)));

  fs::remove(place / "b.safetensors");
  CHECK_THAT(refusal(place), test::Contains("b.safetensors: error: cannot be read"));
  for (auto &entry : index["weight_map"]) entry = "../a.safetensors";
  std::ofstream(place / "model.safetensors.index.json") << index.dump();
  CHECK_THAT(refusal(place), test::Contains("must name a file of this folder"));
}

TEST_CASE("a missing or half-written folder is refused before anything is loaded") {
  const test::scratch folder;
  const fs::path place = folder.path() / "model", weights = place / "model.safetensors";
  CHECK_THAT(refusal(place), test::Contains("there is no such folder"));
  fs::create_directory(place);
  CHECK_THAT(refusal(place), test::Contains("holds no config.json"));
  fs::remove(place);
  save_checkpoint(place, made_up(), {}, "");
  CHECK(refusal(place).empty());

  const std::string whole = text_of(weights);
  for (const std::size_t left :
       {whole.size() - 1, whole.size() / 2, std::size_t{100}, std::size_t{3}, std::size_t{0}}) {
    std::ofstream(weights, std::ios::binary) << whole.substr(0, left);
    CHECK_THAT(refusal(place), test::Contains("model.safetensors: error: "));
  }
  fs::remove(weights);
  CHECK_THAT(refusal(place), test::Contains("holds neither model.safetensors nor"));

  checkpoint other = made_up();
  other.spec.intermediate_size = 10;
  other.flat = initial_parameters(other.spec, 1);
  save_checkpoint(folder.path() / "other", other, {}, "");
  fs::copy_file(folder.path() / "other" / "model.safetensors", weights);
  CHECK_THAT(refusal(place),
             test::Contains("tensor model.layers.0.mlp.gate_proj.weight has shape [10, 8], but the "
                            "configuration says [12, 8]"));
  write_safetensors(weights, {{"lm_head.weight", at::zeros({2})}});
  CHECK_THAT(refusal(place), test::Contains("tensor model.embed_tokens.weight is missing"));
  std::ofstream(place / "config.json") << "{";
  CHECK_THAT(refusal(place), test::Contains("config.json:1:"));
}

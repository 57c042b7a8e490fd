// Weights as other programs write them: tensors that the model does not use, other types, lying indices.
#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/safetensors.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;
using test::Contains;

namespace {

model_spec small_spec(bool tied) {
  model_spec spec;
  spec.vocab_size = 16, spec.hidden_size = 8, spec.intermediate_size = 12, spec.layers = 1, spec.heads = 2;
  spec.kv_heads = 1, spec.head_dim = 4, spec.max_positions = 16, spec.tied_embeddings = tied;
  return spec;
}

void write_text(const std::filesystem::path &file, const std::string &text) {
  std::ofstream(file, std::ios::binary) << text;
}

// A folder whose weights are written anew, changed.
class changed_folder {
 public:
  explicit changed_folder(bool tied) {
    model.spec = small_spec(tied);
    model.flat = initial_parameters(model.spec, 3);
    save_checkpoint(place(), model, {}, "");
    const safetensors_file stored(place() / "model.safetensors");
    for (const auto &[name, entry] : stored.tensors()) tensors.emplace_back(name, stored.get(name).clone());
  }
  std::filesystem::path place() const { return folder_ / "model"; }
  at::Tensor &tensor(const std::string &name) {
    for (auto &[known, values] : tensors)
      if (known == name) return values;
    return tensors.emplace_back(name, at::Tensor()).second;
  }
  checkpoint read() const {
    write_safetensors(place() / "model.safetensors", tensors);
    verify_checkpoint(place());
    return load_checkpoint(place());
  }

  checkpoint model;
  named_tensors tensors;

 private:
  test::scratch folder_;
};

}  // namespace

TEST_CASE("a head of its own beside a tied embedding is refused, unless it is the same") {
  changed_folder folder(true);
  const auto table = folder.tensor("model.embed_tokens.weight");
  folder.tensor("lm_head.weight") = table.clone();
  CHECK(at::equal(folder.read().flat, folder.model.flat));
  folder.tensor("lm_head.weight") = table.to(at::kDouble);
  CHECK(at::equal(folder.read().flat, folder.model.flat));
  folder.tensor("lm_head.weight") = table + at::tensor(1e-3f);
  CHECK_THROWS_WITH(folder.read(), Contains("tensor lm_head.weight differs from model.embed_tokens.weight") &&
                                       Contains("tie_word_embeddings"));
  folder.tensor("lm_head.weight") = table.narrow(0, 0, 4);
  CHECK_THROWS_WITH(folder.read(), Contains("lm_head.weight differs"));
}

TEST_CASE("tensors that nobody needs may be of any type, and weights of any float") {
  changed_folder folder(false);
  folder.tensor("model.layers.0.self_attn.rotary_emb.inv_freq") = at::arange(4, at::kDouble);
  folder.tensor("model.norm.weight") = folder.tensor("model.norm.weight").to(at::kDouble);
  CHECK(at::equal(folder.read().flat, folder.model.flat));
  folder.tensor("model.layers.0.self_attn.rotary_emb.inv_freq") = at::ones({2}, at::kBool);
  CHECK(at::equal(folder.read().flat, folder.model.flat));
  folder.tensor("model.norm.weight") = at::ones({8}, at::kBool);
  CHECK_THROWS_WITH(folder.read(), Contains("tensor model.norm.weight is of BOOL"));
}

TEST_CASE("a tensor of a type that is not known here stands in the way of nothing but its reading") {
  const test::scratch folder;
  const std::string header = R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const auto file = folder.write("x.safetensors", bytes + header + std::string(8, '\1'));
  const safetensors_file opened(file);
  CHECK(opened.tensors().at("a").dtype == "F8_E4M3");
  CHECK_THROWS_WITH(opened.get("a"), Contains("tensor a: dtype F8_E4M3 cannot be read"));
}

TEST_CASE("an index that names the wrong file for a tensor is refused") {
  changed_folder folder(false);
  save_checkpoint(folder.place(), folder.model, {}, "", {at::kFloat, 2000});
  const auto index = folder.place() / "model.safetensors.index.json";
  auto content = json::parse(test::read_text(index));
  REQUIRE(content["weight_map"].size() > 2);
  CHECK_NOTHROW(load_checkpoint(folder.place()));
  const std::string first = content["weight_map"]["model.embed_tokens.weight"];
  content["weight_map"]["model.norm.weight"] = first;
  write_text(index, content.dump());
  CHECK_THROWS_WITH(load_checkpoint(folder.place()),
                    Contains("weight_map: model.norm.weight is not in " + first));
  content["weight_map"].erase("model.norm.weight");
  content["weight_map"]["no.such.tensor"] = first;
  write_text(index, content.dump());
  CHECK_THROWS_WITH(verify_checkpoint(folder.place()), Contains("no.such.tensor is not in"));
}

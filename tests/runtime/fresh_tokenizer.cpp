#include <ATen/core/Tensor.h>

#include "models/error.hpp"
#include "runtime/learning/model_store.hpp"
#include "runtime/topology/resolved.hpp"
#include "runtime/topology/topology.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

topology with(const std::string &key) {
  return make_topology(
      parse_document("[run]\nname = \"t\"\nupdates = 1\n[schedule]\nbatch = 2\n"
                     "[models.m]\narchitecture = \"llama\"\nhidden_size = 8\nlayers = 1\nheads = 2\n" +
                         key + "\n[actors.learner]\nkind = \"learner\"\n",
                     "t.toml"),
      "t.toml");
}

}  // namespace

TEST_CASE("a fresh network takes the byte tokenizer, or a folder's, and its vocabulary") {
  const auto bytes = with("tokenizer = \"bytes\"");
  CHECK(model_store(bytes).describe("m").spec.vocab_size == 259);
  CHECK_THAT(write_resolved(bytes), test::Contains("tokenizer = \"bytes\"\n"));
  const auto folder = with("tokenizer = \"" + test::data("golden/tokenizers/small-qwen").string() + "\"");
  model_store models(folder);
  CHECK(models.describe("m").spec.vocab_size == 600);
  CHECK(models.describe("m").spec.pad_token == 0);
  CHECK(models.describe("m").text->eos() == 2);
}

TEST_CASE("a fresh network's tokenizer folder must be whole and name its end token") {
  const test::scratch folder;
  const auto describe = [&] {
    const auto graph = with("tokenizer = \"" + folder.path().string() + "\"");
    model_store(graph).describe("m");
  };
  CHECK_THROWS_WITH(describe(),
                    Catch::Matchers::StartsWith("t.toml:11:13: error: ") && test::Contains("tokenizer.json"));
  std::filesystem::copy_file(test::data("golden/tokenizers/small-qwen/tokenizer.json"),
                             folder / "tokenizer.json");
  CHECK_THROWS_WITH(describe(), test::Contains("names no eos_token"));
}

TEST_CASE("a model and its copies stop at what a dataset's chat template ends answers with") {
  const auto graph = with("tokenizer = \"" + test::data("golden/tokenizers/small-qwen").string() +
                          "\"\n[models.copy]\ncopy_of = \"m\"\n[models.other]\ncopy_of = \"m\"");
  model_store models(graph);
  const auto end = models.describe("m").text->encode("<bos>");
  REQUIRE(end.size() == 1);
  CHECK(models.describe("copy").spec == models.describe("m").spec);
  auto style = find_chat("plain");
  style.answer_end = "<bos>";
  CHECK_THAT(models.stop_at_answer_end("m", style), test::Contains("ends an answer with \"<bos>\""));
  CHECK(models.describe("m").spec.eos_tokens == std::vector<std::int64_t>{2, end[0]});
  CHECK(models.describe("copy").spec == models.describe("m").spec);
  CHECK(models.describe("other").spec.eos_tokens == models.describe("m").spec.eos_tokens);
  CHECK(models.load("m")->spec() == models.describe("m").spec);
}

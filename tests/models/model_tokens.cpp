#include "models/files/model_tokens.hpp"

#include <ATen/core/Tensor.h>

#include <fstream>
#include <optional>

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;
using ids = std::vector<std::int64_t>;

namespace {

// <pad> 0, <bos> 1, <eos> 2, a 3, b 4; the files of its folder, without the names of any tokens.
class token_folder {
 public:
  token_folder() {
    make_character_tokenizer("ab")->save(folder_.path());
    folder_.write("tokenizer_config.json", "{\"model_max_length\": 512}");
  }
  void write(const std::string &file, const std::string &text) { folder_.write(file, text); }
  model_tokens choose(std::int64_t rows = 5) const {
    return choose_tokens(folder_.path(), *load_tokenizer(folder_.path()), rows);
  }
  std::shared_ptr<const tokenizer> text(model_spec &spec) const {
    auto read = load_tokenizer(folder_.path());
    auto chosen = choose_tokens(folder_.path(), *read, spec.vocab_size);
    return with_tokens(std::move(read), std::move(chosen), spec);
  }

 private:
  test::scratch folder_;
};

}  // namespace

TEST_CASE("an end that the tokenizer does not name is config.json's, or generation_config.json's") {
  token_folder folder;
  folder.write("config.json", R"({"eos_token_id": 4, "bos_token_id": 1, "pad_token_id": 0})");
  CHECK(folder.choose().end.id == 4);
  CHECK(folder.choose().end.from == "config.json");
  CHECK(folder.choose().stops == ids{4});
  CHECK(folder.choose().begin.id == 1);
  CHECK(folder.choose().pad.id == 0);
  CHECK(folder.choose().notes.empty());
  folder.write("config.json", R"({"eos_token_id": null})");
  folder.write("generation_config.json", R"({"eos_token_id": [3, 4]})");
  CHECK(folder.choose().end.id == 3);
  CHECK(folder.choose().stops == ids{3, 4});
  CHECK(folder.choose().stops_from == "generation_config.json");
}

TEST_CASE("special_tokens_map.json names the end where tokenizer_config.json does not") {
  token_folder folder;
  folder.write("config.json", R"({"eos_token_id": 4})");
  folder.write("special_tokens_map.json", R"({"eos_token": {"content": "<eos>"}, "pad_token": "<pad>"})");
  CHECK(folder.choose().end.id == 2);
  CHECK(folder.choose().pad.id == 0);
  CHECK(folder.choose().stops == ids{2, 4});
  folder.write("tokenizer_config.json", R"({"eos_token": "b"})");
  CHECK(folder.choose().end.id == 4);
}

TEST_CASE("what answers are trained to end with also stops generations, and a contradiction is said") {
  token_folder folder;
  folder.write("tokenizer_config.json", R"({"eos_token": "<eos>", "pad_token": "<pad>"})");
  folder.write("config.json", R"({"eos_token_id": 4, "pad_token_id": 3})");
  auto chosen = folder.choose();
  CHECK(chosen.end.id == 2);
  CHECK(chosen.stops == ids{2, 4});
  REQUIRE(chosen.notes.size() == 2);
  CHECK(
      chosen.notes[0] ==
      "config.json says that eos_token_id is \"b\" (4), but the tokenizer's files end a text with "
      "\"<eos>\" (2): answers are trained to end with \"<eos>\" (2), and generations stop at \"<eos>\" (2), "
      "\"b\" (4)");
  CHECK_THAT(chosen.notes[1], Contains("pad_token_id is \"a\" (3)") && Contains("\"a\" (3) is taken"));
  folder.write("generation_config.json", R"({"eos_token_id": 2})");
  folder.write("config.json", R"({"eos_token_id": [2, 3]})");
  chosen = folder.choose();
  CHECK(chosen.stops == ids{2});  // as transformers does: generation_config.json decides over config.json
  CHECK(chosen.notes.empty());
}

TEST_CASE("a folder in which nobody names an end says so") {
  token_folder folder;
  CHECK(folder.choose().end.id == -1);
  CHECK(folder.choose().stops.empty());
  REQUIRE(folder.choose().notes.size() == 1);
  CHECK_THAT(folder.choose().notes[0], Contains("no file names an end token"));
}

TEST_CASE("ends that the model has no row for are left out with a word, or refused") {
  token_folder folder;
  folder.write("config.json", R"({"eos_token_id": [4, 9]})");
  CHECK(folder.choose().stops == ids{4});
  CHECK_THAT(folder.choose().notes.at(0), Contains("9 is beyond the model's vocabulary of 5"));
  folder.write("config.json", R"({"eos_token_id": "b"})");
  CHECK_THROWS_WITH(folder.choose(), Contains("config.json: error: eos_token_id: must be a token id"));
  folder.write("config.json", R"({"eos_token_id": 2})");
  folder.write("tokenizer_config.json", R"({"eos_token": "b"})");
  CHECK_THROWS_WITH(folder.choose(4), Contains("end token \"b\" (4) is beyond the model's vocabulary of 4"));
}

TEST_CASE("a model's tokenizer refuses texts beyond the model's rows, and knows its ends") {
  token_folder folder;
  folder.write("config.json", R"({"eos_token_id": 2})");
  model_spec spec;
  spec.vocab_size = 4;
  const auto text = folder.text(spec);
  CHECK(spec.eos_tokens == ids{2});
  CHECK(text->eos() == 2);
  CHECK(text->encode("aa") == ids{3, 3});
  CHECK(text->decode({3, 2}, true) == "a<eos>");
  CHECK(text->vocab_size() == 5);
  CHECK_THROWS_WITH(text->encode("ab"),
                    Contains("token \"b\" (4), which is beyond the model's vocabulary of 4"));
  CHECK_THROWS_AS(text->encode_with_special("b"), input_error);
  REQUIRE(tokens_of(*text));
  CHECK(tokens_of(*text)->end.id == 2);
  CHECK_FALSE(tokens_of(*make_byte_tokenizer()));
}

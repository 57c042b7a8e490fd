#include <ATen/core/Tensor.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

using ids = std::vector<std::int64_t>;

json saved_file(const tokenizer &text) {
  const test::scratch folder;
  text.save(folder.path());
  return json::parse(std::ifstream(folder.path() / "tokenizer.json"));
}

std::string refusal(const json &content, const json &config = {}) {
  const test::scratch folder;
  std::ofstream(folder.path() / "tokenizer.json") << content.dump();
  if (!config.is_null()) std::ofstream(folder.path() / "tokenizer_config.json") << config.dump();
  try {
    load_tokenizer(folder.path());
  } catch (const input_error &e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("characters get ids after the special tokens, in the order of the alphabet") {
  const auto text = make_character_tokenizer("baéa\n€");
  CHECK(text->vocab_size() == 8);
  CHECK(text->pad() == 0);
  CHECK(text->bos() == 1);
  CHECK(text->eos() == 2);
  CHECK(text->encode("abé€\n") == ids{4, 3, 5, 7, 6});
  CHECK(text->encode("").empty());
  CHECK(text->decode({4, 3, 5, 7, 6}) == "abé€\n");
  CHECK(text->encode("<bos>a<eos>") == ids{1, 4, 2});
  CHECK(text->decode({1, 4, 2, 0}) == "a");
  CHECK(text->decode({1, 4, 2}, true) == "<bos>a<eos>");
  CHECK(text->decode({99, 4, -1}) == "a");
}

TEST_CASE("a character that is not in the alphabet and text that is no UTF-8 are refused") {
  const auto text = make_character_tokenizer("ab<");
  CHECK_THROWS_WITH(text->encode("axb"), test::Contains("\"x\""));
  CHECK_THROWS_WITH(text->encode("<pad"), test::Contains("\"p\""));
  const std::string bad =
      GENERATE("\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80");
  CHECK_THROWS_WITH(text->encode("ab" + bad), test::Contains("not valid UTF-8 at byte 2"));
  CHECK_THROWS_AS(make_character_tokenizer(bad), input_error);
}

TEST_CASE("a saved tokenizer comes back as it was") {
  const test::scratch folder;
  const auto text = make_character_tokenizer(" 0123456789=abc\"\\é€\t\n");
  text->save(folder.path());
  const auto back = load_tokenizer(folder.path());
  CHECK(back->vocab_size() == text->vocab_size());
  CHECK(back->eos() == text->eos());
  CHECK(back->pad() == text->pad());
  CHECK(back->bos() == text->bos());
  CHECK(back->encode("a=\"é\\\n<eos>") == text->encode("a=\"é\\\n<eos>"));
  CHECK(saved_file(*back) == saved_file(*text));

  std::filesystem::remove(folder.path() / "tokenizer_config.json");
  const auto bare = load_tokenizer(folder.path());
  CHECK(bare->eos() == -1);
  CHECK(bare->encode("a<eos>") == text->encode("a<eos>"));
}

TEST_CASE("the names of special tokens may be text or tables") {
  const test::scratch folder;
  make_character_tokenizer("ab")->save(folder.path());
  std::ofstream(folder.path() / "tokenizer_config.json")
      << R"({"eos_token": {"content": "<eos>", "lstrip": false}, "pad_token": null, "bos_token": "<bos>"})";
  const auto text = load_tokenizer(folder.path());
  CHECK(text->eos() == 2);
  CHECK(text->pad() == -1);
  CHECK(text->bos() == 1);
}

TEST_CASE("another kind of tokenizer and damaged files are refused by name") {
  const json good = saved_file(*make_character_tokenizer("ab"));
  CHECK(refusal(good).empty());
  const auto [patch, why] = GENERATE(table<std::string, std::string>({
      {R"({"model": {"type": "Unigram"}})",
       "model.type: \"Unigram\" is not supported; supported are: BPE, WordLevel"},
      {R"({"model": null})", "model.type: null"},
      {R"({"model": {"vocab": []}})", "model.vocab: must be a table"},
      {R"({"model": {"vocab": {"ab": 7}}})", "model.vocab: \"ab\" is not a single character"},
      {R"({"model": {"vocab": {"a": -1}}})", "model.vocab: \"a\" must have a whole number"},
      {R"({"model": {"vocab": {"a": 99999999999}}})", "model.vocab: \"a\" has an id far beyond"},
      {R"({"pre_tokenizer": {"type": "Whitespace"}})", "pre_tokenizer"},
      {R"({"pre_tokenizer": {"behavior": "Removed"}})", "pre_tokenizer"},
      {R"({"normalizer": {"type": "NFC"}})", "normalizer"},
      {R"({"added_tokens": [{"id": 3}]})", "added_tokens"},
      {R"({"added_tokens": [{"id": -3, "content": "x"}]})", "added_tokens"},
  }));
  json content = good;
  content.merge_patch(json::parse(patch));
  CHECK_THAT(refusal(content), test::Contains("tokenizer.json: error: ") && test::Contains(why));
  CHECK_THAT(refusal(good, {{"eos_token", "</s>"}}),
             test::Contains("tokenizer_config.json: error: eos_token"));
  CHECK_THAT(refusal(json::array()), test::Contains("JSON object"));
}

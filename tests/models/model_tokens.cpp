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
    return choose_tokens(model_folders(folder_.path()), *load_tokenizer(folder_.path()), rows);
  }
  std::shared_ptr<const tokenizer> text(model_spec &spec) const {
    auto read = load_tokenizer(folder_.path());
    auto chosen = choose_tokens(model_folders(folder_.path()), *read, spec.vocab_size);
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

namespace {

// A template that ends answers with `end`.
std::string ending(const std::string &end) {
  return "{% for m in messages %}{{ m.role }}:{{ m.content }}" + end +
         "\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
}

}  // namespace

TEST_CASE("generations stop at what the chat template ends answers with, and a contradiction is said") {
  token_folder folder;
  folder.write("tokenizer_config.json", R"({"eos_token": "<eos>"})");
  folder.write("config.json", R"({"eos_token_id": 2})");
  CHECK(folder.choose().answer_end.id == -1);
  folder.write("chat_template.jinja", ending("<pad>"));
  auto chosen = folder.choose();
  CHECK(chosen.end.id == 2);
  CHECK(chosen.answer_end.id == 0);
  CHECK_THAT(chosen.answer_end.from, Contains("chat_template.jinja"));
  CHECK(chosen.stops == ids{2, 0});
  REQUIRE(chosen.notes.size() == 1);
  CHECK_THAT(
      chosen.notes[0],
      Contains("chat_template.jinja ends an answer with \"<pad>\" (0), but the tokenizer's files end a "
               "text with \"<eos>\" (2): dialogues are trained to end with \"<pad>\" (0), plain answers "
               "with \"<eos>\" (2), and generations stop at \"<eos>\" (2), \"<pad>\" (0)"));
  folder.write("generation_config.json", R"({"eos_token_id": [2, 0]})");  // as Llama 3 has it
  CHECK(folder.choose().notes.empty());
  folder.write("generation_config.json", R"({"eos_token_id": [2, 1]})");
  CHECK(folder.choose().stops == ids{2, 0, 1});
  CHECK(folder.choose().notes.size() == 1);
  folder.write("chat_template.jinja", ending("<eos>"));
  CHECK(folder.choose().stops == ids{2, 1});
  CHECK(folder.choose().notes.empty());
}

TEST_CASE("an end that nobody names is the chat template's") {
  token_folder folder;
  folder.write("chat_template.jinja", ending("<pad>"));
  const auto chosen = folder.choose();
  CHECK(chosen.end.id == 0);
  CHECK_THAT(chosen.end.from, Contains("chat_template.jinja"));
  CHECK(chosen.stops == ids{0});
  CHECK(chosen.notes.empty());
}

TEST_CASE("an answer's end is found in templates that want this or that of a dialogue") {
  token_folder folder;
  folder.write("tokenizer_config.json", R"({"eos_token": "<eos>"})");
  const auto found = [&](const std::string &text) {
    folder.write("chat_template.jinja", text);
    const auto chosen = folder.choose();
    for (const auto &note : chosen.notes) UNSCOPED_INFO(note);
    return chosen.answer_end.id;
  };
  CHECK(found("{% if messages[0].role != 'system' %}{{ raise_exception('no') }}{% endif %}" +
              ending("<pad>")) == 0);
  CHECK(found("{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" +
              ending("<pad>")) == 0);
  CHECK(found("{{ strftime_now('%d') }}" + ending("<pad>")) == 0);
  CHECK(found(ending("a<pad>b<eos>")) == 0);  // the first mark behind the words
  CHECK(found("{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<pad>"
              "{% endgeneration %}{% endif %}<bos>{% endfor %}") == 0);
}

TEST_CASE("an answer's end at which nothing can stop is said") {
  token_folder folder;
  folder.write("tokenizer_config.json", R"({"eos_token": "<eos>"})");
  const auto note = [&](const std::string &text) {
    folder.write("chat_template.jinja", text);
    const auto chosen = folder.choose();
    CHECK(chosen.answer_end.id == -1);
    CHECK(chosen.stops == ids{2});
    return chosen.notes.size() == 1 ? chosen.notes[0] : "";
  };
  CHECK_THAT(note(ending("")),
             Contains("writes only white space behind an answer: generations do not stop where answers "
                      "in dialogues end, but at \"<eos>\" (2)"));
  CHECK_THAT(note(ending("<|im_end|>")),
             Contains("ends an answer with \"<|im_end|>\", which is no token of its own"));
  CHECK_THAT(note(ending("b")), Contains("ends an answer with \"b\", which is no token of its own"));
  CHECK_THAT(note("{{ raise_exception('never') }}"),
             Contains("writes no dialogue of a question and an answer"));
  CHECK_THAT(note("{% frob %}"),
             Contains("what ends an answer in a dialogue is not known") && Contains("frob"));
}

TEST_CASE("what a topology's chat template ends answers with is added to a model's ends") {
  token_folder folder;
  folder.write("config.json", R"({"eos_token_id": 2})");
  model_spec spec;
  spec.vocab_size = 5;
  const auto text = folder.text(spec);
  chat_template style = find_chat("plain");
  CHECK(stop_at_answer_end(style, *text, spec).empty());  // the end token ends answers
  style.answer_end = "<pad>";
  CHECK_THAT(
      stop_at_answer_end(style, *text, spec),
      Contains("the chat template plain ends an answer with \"<pad>\" (0), which the model's files do not "
               "name as an end (\"<eos>\" (2))"));
  CHECK(spec.eos_tokens == ids{2, 0});
  CHECK(stop_at_answer_end(style, *text, spec).empty());
  CHECK_THAT(stop_at_answer_end(find_chat("chatml"), *text, spec), Contains("which is no token of its own"));
  CHECK(spec.eos_tokens == ids{2, 0});
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

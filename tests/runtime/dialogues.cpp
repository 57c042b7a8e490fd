#include <ATen/core/Tensor.h>

#include "models/error.hpp"
#include "runtime/learning/collate.hpp"
#include "runtime/learning/samples.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

const auto letters = make_character_tokenizer("abcdefsuxyz<>|\n ");

/// <u>…<x> and <a>…<e>, where the answer ends with <e>.
text_style marked(const std::string &answer_end) {
  chat_template chat;
  chat.name = "marked";
  chat.roles = {{"user", {"<u>", "<x>"}}, {"assistant", {"<a>", "\n"}}};
  chat.answer_end = answer_end;
  chat.open_answer = "<a>";
  return {letters, chat};
}

/// The tokens that are trained on in capitals would not say what the end token is: | stands for it.
std::string shown(const sample &entry, bool trained) {
  std::string text;
  for (std::size_t i = 0; i < entry.tokens.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i) - entry.prompt_length;
    const bool counts =
        place >= 0 && (entry.trained.empty() || entry.trained[static_cast<std::size_t>(place)] == 1);
    if (counts != trained) continue;
    text += entry.tokens[i] == letters->eos() ? "|" : letters->decode({entry.tokens[i]});
  }
  return text;
}

example talk() {
  example line;
  line.turns = {{"user", "c"}, {"assistant", "d"}, {"user", "e"}, {"assistant", "f"}, {"user", "z"}};
  return line;
}

}  // namespace

TEST_CASE("every answer of a dialogue is trained on, with what ends it, and nothing else") {
  const auto closed = example_samples(talk(), example_form::demonstration, marked("<e>")).samples.at(0);
  CHECK(shown(closed, true) == "d<e>f<e>");
  CHECK(shown(closed, false) == "<u>c<x><a>\n<u>e<x><a>");
  CHECK(closed.tokens.back() == letters->encode(">")[0]);  // nothing follows the last answer
  const auto by_token = example_samples(talk(), example_form::demonstration, marked("")).samples.at(0);
  CHECK(shown(by_token, true) == "d|f|");
  const auto plain = example_samples(talk(), example_form::demonstration, {letters, find_chat("plain")});
  CHECK(shown(plain.samples.at(0), true) == "d|f|");
}

TEST_CASE("the loss mask of a batch follows the answers of a dialogue") {
  const auto entry = example_samples(talk(), example_form::demonstration, marked("<e>")).samples.at(0);
  const auto mask = collate({&entry}, 0, at::kCPU).inputs.mask;
  REQUIRE(mask.size(1) == static_cast<std::int64_t>(entry.tokens.size()));
  std::string text;
  for (std::size_t i = 0; i < entry.tokens.size(); ++i)
    if (mask.data_ptr<float>()[i] == 1.0F) text += letters->decode({entry.tokens[i]});
  CHECK(text == "d<e>f<e>");
}

TEST_CASE("a prompt is the dialogue up to its last question, and the answer is opened") {
  CHECK(letters->decode(prompt_tokens(talk(), marked("<e>"))) ==
        "<u>c<x><a>d<e>\n<u>e<x><a>f<e>\n<u>z<x><a>");
  auto answered = talk();
  answered.turns.pop_back();
  CHECK(letters->decode(prompt_tokens(answered, marked("<e>"))) == "<u>c<x><a>d<e>\n<u>e<x><a>");
}

TEST_CASE("a prompt goes up to its last answer, also where a tool speaks last") {
  example line;
  line.turns = {{"user", "c"}, {"assistant", "d"}, {"tool", "e"}};
  auto style = marked("<e>");
  style.chat.roles["tool"] = {"<b>", "<y>"};
  CHECK(letters->decode(prompt_tokens(line, style)) == "<u>c<x><a>d<e>\n<b>e<y><a>");
}

TEST_CASE("answers that are not to be trained on are only read, and so are those before a compared one") {
  auto line = talk();
  line.turns[1].trained = false;
  const auto entry = example_samples(line, example_form::demonstration, marked("<e>")).samples.at(0);
  CHECK(shown(entry, true) == "f<e>");
  CHECK(shown(entry, false) == "<u>c<x><a>d<e>\n<u>e<x><a>");
  line.turns[3].trained = false;
  CHECK_THROWS_WITH(example_samples(line, example_form::demonstration, marked("<e>")),
                    Contains("train on one"));
  example pair;
  pair.turns = {{"user", "c"}, {"assistant", "d"}, {"user", "e"}};
  pair.response = "f";
  pair.rejected = "s";
  const auto made = example_samples(pair, example_form::pair, marked("<e>"));
  CHECK(shown(made.samples[0], true) == "f<e>");
  CHECK(shown(made.samples[1], true) == "s<e>");
}

TEST_CASE("a demonstration's tokens go on from the tokens that a sampler is prompted with") {
  example line;
  line.turns = {{"user", "c"}, {"assistant", "d"}};
  const auto prompt = prompt_tokens(line, marked("<e>"));
  const auto entry = example_samples(line, example_form::demonstration, marked("<e>")).samples.at(0);
  REQUIRE(entry.prompt_length == static_cast<std::int64_t>(prompt.size()));
  CHECK(std::equal(prompt.begin(), prompt.end(), entry.tokens.begin()));
}

TEST_CASE("by a model's own template a dialogue has the ids of its whole text") {
  const test::scratch folder;
  const auto file = folder.write("chat.jinja",
                                 "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
                                 "{% if add_generation_prompt %}assistant: {% endif %}");
  const auto text = load_tokenizer(test::data("golden/tokenizers/small-qwen"));
  example line;
  line.turns = {{"user", "one"}, {"assistant", "then the other"}};
  const auto entry =
      example_samples(line, example_form::demonstration, {text, load_chat_file(file, {})}).samples.at(0);
  const auto whole = text->encode("user: one\nassistant: then the other\n");
  CHECK(entry.tokens == whole);
  CHECK(whole != prompt_tokens(line, {text, load_chat_file(file, {})}));
  const std::vector<std::int64_t> answer(whole.begin() + entry.prompt_length, whole.end());
  CHECK(text->decode(answer) == " then the other\n");  // its first token holds the space before it
}

TEST_CASE("pairs of answers to a dialogue share its tokens") {
  example line;
  line.turns = {{"user", "c"}};
  line.response = "d";
  line.rejected = "e";
  const auto pair = example_samples(line, example_form::pair, marked("<e>"));
  REQUIRE(pair.samples.size() == 2);
  CHECK(shown(pair.samples[0], true) == "d<e>");
  CHECK(shown(pair.samples[1], true) == "e<e>");
  CHECK(shown(pair.samples[0], false) == shown(pair.samples[1], false));
}

TEST_CASE("dialogues without an answer, and roles that a template lacks, are errors") {
  example line;
  line.turns = {{"user", "c"}};
  CHECK_THROWS_WITH(example_samples(line, example_form::demonstration, marked("<e>")),
                    Contains("no answer to learn"));
  line.turns = {{"tool", "c"}, {"assistant", "d"}};
  CHECK_THROWS_AS(example_samples(line, example_form::demonstration, marked("<e>")), input_error);
}

TEST_CASE("a text without a prompt begins with the begin token") {
  example line;
  line.response = "ab";
  const auto entry =
      example_samples(line, example_form::demonstration, {letters, find_chat("plain")}).samples.at(0);
  CHECK(entry.prompt_length == 1);
  CHECK(entry.tokens.front() == letters->bos());
  CHECK(prompt_tokens(line, {letters, find_chat("plain")}) == std::vector<std::int64_t>{letters->bos()});
}

TEST_CASE("what is too long loses its tail, or all of it but the last token") {
  example line;
  line.prompt = "ab";
  line.response = "cdef";
  const text_style style{letters, find_chat("plain")};
  const auto cut = [&](std::int64_t limit, bool keep_last) {
    auto group = example_samples(line, example_form::demonstration, style);
    return std::make_pair(shorten(group, limit, keep_last), group.samples.at(0));
  };
  CHECK(shown(cut(7, false).second, true) == "cdef|");
  CHECK(shown(cut(5, false).second, true) == "cde");
  CHECK(shown(cut(5, true).second, true) == "cd|");
  CHECK(cut(3, false).first);
  CHECK_FALSE(cut(2, false).first);
  CHECK_FALSE(cut(3, true).first);
  auto dialogue = example_samples(talk(), example_form::demonstration, marked("<e>"));
  CHECK(shorten(dialogue, 12, false));
  CHECK(dialogue.samples[0].tokens.size() == 12);
  CHECK(shown(dialogue.samples[0], true) == "d<");
}

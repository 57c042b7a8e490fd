#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/tokenizers/chat.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

std::string text_of(const std::vector<chat_piece> &pieces) {
  std::string text;
  for (const auto &piece : pieces) text += piece.text;
  return text;
}

std::string trained_of(const std::vector<chat_piece> &pieces) {
  std::string text;
  for (const auto &piece : pieces)
    if (piece.trained) text += piece.text + "|";
  return text;
}

// ChatML as its templates are written, with a system message of their own when `system` is not empty.
std::string chatml(const std::string &system, const std::string &rest = "") {
  const std::string first =
      system.empty() ? ""
                     : "{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n" +
                           system + "<|im_end|>\n' }}{% endif %}";
  return "{% for message in messages %}" + first +
         "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}" +
         rest;
}

const std::string llama =
    "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set "
    "content = "
    "bos_token + content %}{% endif %}{{ content }}{% endfor %}";

}  // namespace

TEST_CASE("what the assistant says is trained, with the token that ends it") {
  const std::vector<chat_message> talk{
      {"user", "1+1?"}, {"assistant", "2"}, {"user", "+1?"}, {"assistant", "3"}};
  const auto pieces = render_chat(find_chat("chatml"), talk, false);
  REQUIRE(pieces.size() == 5);
  CHECK(pieces[0].text == "<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n");
  CHECK(!pieces[0].trained);
  CHECK(pieces[1].text == "2<|im_end|>");
  CHECK(pieces[1].trained);
  CHECK(pieces[4].text == "\n");
  CHECK(trained_of(pieces) == "2<|im_end|>|3<|im_end|>|");
  CHECK(text_of(render_chat(find_chat("plain"), {{"user", "1+1?"}}, true)) == "1+1?\n");
  CHECK(trained_of(render_chat(find_chat("plain"), {{"user", "1+1?"}, {"assistant", "2"}}, false)) == "2|");
  CHECK_THROWS_WITH(render_chat(find_chat("chatml"), {{"tool", "x"}}, true),
                    test::Contains("has no role \"tool\"") && test::Contains("assistant, system, user"));
}

TEST_CASE("built-in templates write what their Jinja originals write") {
  const std::vector<chat_message> question{{"user", " Hi \n"}};
  const auto [name, want] = GENERATE(table<std::string, std::string>({
      {"chatml", "<|im_start|>user\n Hi \n<|im_end|>\n<|im_start|>assistant\n"},
      {"qwen2.5",
       "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
       "<|im_start|>user\n Hi \n<|im_end|>\n<|im_start|>assistant\n"},
      {"qwen3", "<|im_start|>user\n Hi \n<|im_end|>\n<|im_start|>assistant\n"},
      {"llama3",
       "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
       "<|start_header_id|>assistant<|end_header_id|>\n\n"},
      {"llama3.1",
       "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December "
       "2023\n"
       "Today Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
       "<|start_header_id|>assistant<|end_header_id|>\n\n"},
  }));
  CHECK(text_of(render_chat(find_chat(name), question, true)) == want);
}

TEST_CASE("a system message takes the place of the template's own") {
  const std::vector<chat_message> talk{{"system", " Be brief. "}, {"user", "Hi"}};
  CHECK(text_of(render_chat(find_chat("qwen2.5"), talk, false)) ==
        "<|im_start|>system\n Be brief. <|im_end|>\n<|im_start|>user\nHi<|im_end|>\n");
  CHECK_THAT(text_of(render_chat(find_chat("llama3.1"), talk, false)),
             test::Contains("26 Jul 2024\n\nBe brief.<|eot_id|><|start_header_id|>user"));
}

TEST_CASE("Qwen 3: only the last answer keeps its thought") {
  const std::vector<chat_message> talk{{"user", "a"},
                                       {"assistant", "<think>\nhm\n</think>\n\nb"},
                                       {"user", "c"},
                                       {"assistant", "<think>\nso\n</think>\n\nd"}};
  const auto style = find_chat("qwen3");
  CHECK(trained_of(render_chat(style, talk, false)) == "b<|im_end|>|<think>\nso\n</think>\n\nd<|im_end|>|");
  CHECK(trained_of(render_chat(style, {{"user", "a"}, {"assistant", "b"}}, false)) ==
        "<think>\n\n</think>\n\nb<|im_end|>|");
}

TEST_CASE("pieces of text refuse what they cannot write") {
  const auto style = find_chat("chatml");
  const auto called =
      std::vector<chat_message>{{"user", "a"}, {"assistant", "", R"({"content":null,"tool_calls":[{}]})"}};
  CHECK_THROWS_WITH(
      render_chat(style, called, false),
      test::Contains("\"tool_calls\" of message 2 has no place in the chat template \"chatml\""));
  CHECK_THROWS_WITH(render_chat(style, {{"user", "a"}}, true, R"({"tools":[{}]})"),
                    test::Contains("\"tools\""));
  CHECK_THROWS_WITH(render_chat(style, {{"user", "", R"({"content":[]})"}}, true),
                    test::Contains("\"content\" as a list"));
  CHECK(text_of(render_chat(style, {{"user", "a", R"({"name":"ann"})"}}, false)) ==
        "<|im_start|>user\na<|im_end|>\n");
  CHECK(trained_of(render_chat(style, {{"user", "a"}, {"assistant", "b", "", false}, {"assistant", "c"}},
                               false)) == "c<|im_end|>|");
  CHECK_THROWS_WITH(find_chat("vicuna"),
                    test::Contains("chatml, qwen2, qwen2.5, qwen3, llama3, llama3.1, plain"));
}

TEST_CASE("a folder's template is in its own file or in tokenizer_config.json") {
  const test::scratch folder;
  CHECK(!load_chat(folder.path()));
  folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", nullptr}}.dump());
  CHECK(!load_chat(folder.path()));
  folder.write("tokenizer_config.json",
               nlohmann::json{{"chat_template", llama}, {"bos_token", "<s>"}}.dump());
  CHECK(text_of(render_chat(*load_chat(folder.path()), {{"user", " a "}}, false)) ==
        "<s><|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>");
  const nlohmann::json several{{{"name", "tool_use"}, {"template", "{{ tools | length }}"}},
                               {{"name", "default"}, {"template", chatml("")}}};
  folder.write("tokenizer_config.json", nlohmann::json{{"chat_template", several}}.dump());
  const auto style = *load_chat(folder.path());
  CHECK(text_of(render_chat(style, {{"user", "a"}}, true)) ==
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n");
  CHECK(text_of(render_chat(style, {{"user", "a"}}, true, R"({"tools":[1, 2]})")) == "2");
  CHECK(text_of(render_chat(*load_chat(folder.path(), "tool_use"), {{"user", "a"}}, true,
                            R"({"tools":[1]})")) == "1");
  CHECK_THROWS_WITH(load_chat(folder.path(), "rag"), test::Contains("none is named rag"));
  folder.write("tokenizer_config.json", R"({"chat_template": [{"name": 3}]})");
  CHECK_THROWS_WITH(load_chat(folder.path()), test::Contains("needs a name and a template"));
  folder.write("tokenizer_config.json", R"({"chat_template": 3})");
  CHECK_THROWS_AS(load_chat(folder.path()), input_error);
  folder.write("chat_template.jinja", "{% frob %}");
  CHECK_THROWS_WITH(load_chat(folder.path()),
                    test::Contains("chat_template.jinja:1:4: error: the statement \"frob\""));
  folder.write("chat_template.jinja", "{{ messages[0].content }}");
  CHECK(text_of(render_chat(*load_chat(folder.path()), {{"user", "a"}}, true)) == "a");
}

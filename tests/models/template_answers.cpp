#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/tokenizers/chat.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

// What is trained of a dialogue, parts between bars, by a template that tests/data/templates holds or `text`.
std::string trained(const std::string &text, const std::vector<chat_message> &messages,
                    const std::string &extras = "") {
  const test::scratch folder;
  folder.write("chat_template.jinja",
               text.ends_with(".jinja") ? read_text(test::data("templates") / text) : text);
  folder.write("tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}})");
  auto style = *load_chat(folder.path());
  if (asks_date(style)) set_date(style, "2026-11-30 14:05:09");
  std::string all;
  for (const auto &piece : render_chat(style, messages, false, extras))
    if (piece.trained) all += piece.text + "|";
  return all;
}

const std::vector<chat_message> talk{{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}};

}  // namespace

TEST_CASE("answers are found by what the dialogue before them ends with") {
  CHECK(trained("chatml.jinja", talk) == "b<|im_end|>|d<|im_end|>|");
  CHECK(trained("chatml_generation.jinja", talk) == "b<|im_end|>|d<|im_end|>|");
  CHECK(trained("llama2.jinja", talk) == " b </s>| d </s>|");
  CHECK(trained("llama3_1_tools.jinja", talk) == "b<|eot_id|>|d<|eot_id|>|");
  CHECK(trained("gemma2.jinja", talk) == "b<end_of_turn>|d<end_of_turn>|");
  CHECK(trained("phi3.jinja", talk) == "b<|end|>|d<|end|>\n</s>|");
  CHECK(trained("phi4.jinja", talk) == "b<|im_end|>|d<|im_end|>|");
  CHECK(trained("mistral_v0_3_tools.jinja", talk) == " b</s>| d</s>|");
  CHECK(trained("granite.jinja", talk) == "b<|end_of_text|>|d<|end_of_text|>|");
  CHECK(trained("zephyr.jinja", talk) == "b</s>|d</s>|");
}

TEST_CASE("of an answer that loses its thought later on, what is left is trained") {
  const std::vector<chat_message> thoughtful{{"user", "a"},
                                             {"assistant", "<think>\nhm\n</think>\n\nb"},
                                             {"user", "c"},
                                             {"assistant", "<think>\nso\n</think>\n\nd"}};
  CHECK(trained("qwen3_thinking.jinja", thoughtful) == "b<|im_end|>|<think>\nso\n</think>\n\nd<|im_end|>|");
  CHECK(trained("qwen3_thinking.jinja", talk) == "b<|im_end|>|<think>\n\n</think>\n\nd<|im_end|>|");
}

TEST_CASE("a template that opens an asked answer otherwise: an answer begins with its own words") {
  const std::vector<chat_message> sums{
      {"user", "1+1"}, {"assistant", "two"}, {"user", "2+2"}, {"assistant", "four"}};
  CHECK(trained("deepseek_r1.jinja", sums) == "two<｜end▁of▁sentence｜>|four<｜end▁of▁sentence｜>|");
  const std::string numbered =
      "{% for m in messages %}[{{ loop.index }} {{ m.role }}]{{ m.content }}</s>{% endfor %}"
      "{% if add_generation_prompt %}[assistant]{% endif %}";
  CHECK(trained(numbered, talk) == "b</s>|d</s>|");
  CHECK_THROWS_WITH(trained(numbered, {{"user", "a"}, {"assistant", "t"}}),  // as in "assistant"
                    Contains("its words do not stand in its turn just once"));
}

TEST_CASE("where answers cannot be told from the rest, the template is named") {
  CHECK_THROWS_WITH(trained("{{ messages | length }}{{ messages[-1].content }}", talk),
                    Contains("chat_template.jinja") && Contains("{% generation %}"));
  CHECK_THROWS_WITH(trained("{{ messages | length }}{{ messages[-1].content }}", talk),
                    Contains("message 2"));
}

TEST_CASE("answers that are not to be trained are only read") {
  auto turns = talk;
  turns[1].trained = false;
  CHECK(trained("chatml.jinja", turns) == "d<|im_end|>|");
  CHECK(trained("chatml_generation.jinja", turns) == "d<|im_end|>|");
}

TEST_CASE("fields of messages reach the template, or are refused by name") {
  const std::vector<chat_message> called{
      {"user", "a"},
      {"assistant", "",
       R"({"content":null,"tool_calls":[{"function":{"name":"f","arguments":{"y":1,"x":2}}}]})"},
      {"tool", "3", R"({"tool_call_id":"1"})"},
      {"assistant", "d"}};
  const std::string tools = R"({"tools":[{"type":"function","function":{"name":"f"}}]})";
  CHECK(trained("qwen2_5_tools.jinja", called, tools) ==
        "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"y\": 1, \"x\": "
        "2}}\n</tool_call><|im_end|>|d<|im_end|>|");
  CHECK_THROWS_WITH(trained("gemma2.jinja", called), Contains("\"tool_calls\" of message 2 has no place"));
  CHECK_THROWS_WITH(trained("gemma2.jinja", talk, tools), Contains("\"tools\" has no place"));
  CHECK_THROWS_WITH(
      trained("chatml.jinja", {{"user", "a"}, {"assistant", "b", R"({"reasoning_content":"c"})"}}),
      Contains("\"reasoning_content\" of message 2"));
  CHECK(trained("gemma3_parts.jinja", {{"user", "a", R"({"content":[{"type":"text","text":"x"}]})"},
                                       {"assistant", "b"}}) == "b<end_of_turn>|");
}

#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

/// The message behind a user's question.
chat_message second(const std::string &message) {
  return parse_jsonl(R"({"messages":[{"role":"user","content":"q"},)" + message + "]}", "f")
      .rows.at(0)
      .turns.at(1);
}

}  // namespace

TEST_CASE("what a message holds besides stays beside its content, in its order") {
  CHECK(second(R"({"role":"assistant","content":"a"})").fields.empty());
  const auto call = second(
      R"({"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}],"role":"assistant","name":"n"})");
  CHECK(call.content.empty());
  CHECK(call.fields ==
        R"({"content":null,"tool_calls":[{"function":{"name":"f","arguments":"{}"}}],"name":"n"})");
  const auto thought = second(R"({"role":"assistant","reasoning_content":"hm","content":"a","name":null})");
  CHECK(thought.content == "a");
  CHECK(thought.fields == R"({"reasoning_content":"hm"})");  // a null says nothing
  const auto parts = second(R"({"role":"user","content":[{"type":"text","text":"a"},{"text":"b"}]})");
  CHECK(parts.content == "ab");
  CHECK(parts.fields == R"({"content":[{"type":"text","text":"a"},{"text":"b"}]})");
  CHECK(second(R"({"from":"gpt","value":"a","name":"n"})").fields == R"({"name":"n"})");
}

TEST_CASE("whether an answer is trained on, in the words of several programs") {
  for (const char *key : {"weight", "train", "training", "loss"}) {
    INFO(key);
    const auto with = [&](const std::string &value) {
      return second(R"({"role":"assistant","content":"a",")" + std::string(key) + "\":" + value + "}");
    };
    CHECK(with("true").trained);
    CHECK(with("1").trained);
    CHECK(with("1.0").trained);
    CHECK(with("null").trained);
    CHECK_FALSE(with("false").trained);
    CHECK_FALSE(with("0").trained);
    CHECK(with("0").fields.empty());
    CHECK_THROWS_WITH(with("0.5"), StartsWith("f:1: error: message 2 of \"messages\": \"" + std::string(key) +
                                              "\" must be true, false, 1 or 0, not 0.5"));
    CHECK_THROWS_WITH(with("\"yes\""), Contains("not a string"));
  }
  CHECK(second(R"({"role":"user","content":"a","train":false})").fields.empty());
}

TEST_CASE("fields of messages that cannot be obeyed are named") {
  const std::vector<std::pair<std::string, std::string>> table{
      {R"({"role":"assistant","content":"a","weight":1,"train":false})", "\"train\" contradicts"},
      {R"({"role":"user","content":"a","train":true})", "is the user's"},
      {R"({"role":"assistant","content":"a","train_detail":[]})", "\"train_detail\" is not obeyed"},
      {R"({"role":"assistant","content":"a","loss_scale":2})", "\"loss_scale\" is not obeyed"},
      {R"({"role":"user","content":[{"type":"image"}]})", "part 1 of its \"content\" is \"image\""},
      {R"({"role":"user","content":[{"type":"image_url","text":"a"}]})", "is \"image_url\""},
      {R"({"role":"user","content":["a"]})", "part 1 of its \"content\" is none that is known"},
      {R"({"role":"user","from":"human","content":"a"})", "keep one way of the two"},
      {R"({"from":"human","content":"a"})", "keep one way of the two"},
      {R"({"from":"function_call","value":"{}"})", "\"from\" is \"function_call\""},
      {R"({"from":"human"})", "needs \"role\" and \"content\""},
      {R"({"role":"assistant","content":null})", "needs \"role\" and \"content\""},
      {R"({"role":null,"content":"a"})", "needs \"role\" and \"content\""},
  };
  for (const auto &[message, words] : table) {
    INFO(message);
    CHECK_THROWS_AS(second(message), input_error);
    CHECK_THROWS_WITH(second(message),
                      StartsWith("f:1: error: message 2 of \"messages\"") && Contains(words));
  }
}

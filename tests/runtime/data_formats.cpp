#include "runtime/data/formats.hpp"

#include <cmath>

#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

example first(const std::string &line, const data_options &options = {}) {
  return parse_jsonl(line, "f", options).rows.at(0);
}

std::string talk(const std::vector<chat_message> &turns) {
  std::string text;
  for (const auto &turn : turns) text += turn.role + ":" + turn.content + "|";
  return text;
}

}  // namespace

TEST_CASE("Alpaca: instruction, input and output in the wording of its training") {
  const auto with = first(R"({"instruction":"Add.","input":"1 2","output":"3","text":"not read"})");
  CHECK_THAT(with.prompt, StartsWith("Below is an instruction") && Contains("further context"));
  CHECK_THAT(with.prompt, EndsWith("### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n"));
  CHECK(with.response == "3");
  const auto without = first(R"({"instruction":"Sing.","input":"","output":"la"})");
  CHECK_THAT(without.prompt, !Contains("Input") && EndsWith("### Instruction:\nSing.\n\n### Response:\n"));
  CHECK(first(R"({"instruction":"Sing.","output":"la"})").prompt == without.prompt);
  CHECK(parse_jsonl(R"({"instruction":"a","output":"b"})", "f").format == row_format::demonstrations);
}

TEST_CASE("GSM8K: the whole working is the answer, its last number what a checker compares with") {
  const auto row = first(
      R"({"question": "How many?", "answer": "48/2 = <<48/2=24>>24 clips.\nIn all 1,172.\n#### 1,172"})");
  CHECK(row.prompt == "How many?");
  CHECK(row.response == "48/2 = <<48/2=24>>24 clips.\nIn all 1,172.\n#### 1,172");
  CHECK(row.answer == "1172");
  CHECK(first(R"({"question":"q","answer":"#### -3 \n"})").answer == "-3");
  CHECK(first(R"({"question":"q","answer":" blue "})").answer == "blue");
  CHECK(first(R"({"question":"q","answer":"####"})").answer.empty());
}

TEST_CASE("messages: further fields, tools and what is not trained are kept for the template") {
  const auto row = first(
      R"({"tools":"[{\"b\":1,\"a\":2}]","messages":[{"role":"user","content":[{"type":"text","text":"a"}],"name":"x"},)"
      R"({"role":"assistant","content":null,"tool_calls":[{"z":1,"y":2}]},{"role":"assistant","content":"c","weight":0},)"
      R"({"role":"assistant","content":"d","train":true}]})");
  REQUIRE(row.turns.size() == 4);
  CHECK(row.prompt == "a");
  CHECK(row.turns[0].fields == R"({"content":[{"type":"text","text":"a"}],"name":"x"})");
  CHECK(row.turns[1].fields == R"({"content":null,"tool_calls":[{"z":1,"y":2}]})");
  CHECK(row.turns[1].trained);
  CHECK_FALSE(row.turns[2].trained);
  CHECK(row.turns[2].fields.empty());
  CHECK(row.turns[3].trained);
  CHECK(row.extras == R"({"tools":[{"b":1,"a":2}]})");
}

TEST_CASE("messages: a dialogue keeps its turns, and its last question is the prompt") {
  const auto data = parse_jsonl(
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]})",
      "f");
  CHECK(data.format == row_format::demonstrations);
  CHECK(data.rows[0].prompt == "c");
  CHECK(data.rows[0].response.empty());
  CHECK(talk(data.rows[0].turns) == "system:s|user:a|assistant:b|user:c|assistant:d|");
}

TEST_CASE("HH-RLHF: two dialogues are split where the last answers begin") {
  const auto row = first(
      R"({"chosen":"\n\nHuman: Hi\n\nAssistant: Yo\n\nHuman: So?\n\nAssistant: Well, no.","rejected":"\n\nHuman: Hi\n\nAssistant: Yo\n\nHuman: So?\n\nAssistant: Well, yes."})");
  CHECK(row.prompt == "\n\nHuman: Hi\n\nAssistant: Yo\n\nHuman: So?\n\nAssistant:");
  CHECK(row.response == " Well, no.");
  CHECK(row.rejected == " Well, yes.");
  // one answer begins with the other, and a turn inside the answers is no prompt
  const auto nested = first(
      R"({"chosen":"\n\nHuman: Hi\n\nAssistant: A","rejected":"\n\nHuman: Hi\n\nAssistant: A\n\nHuman: B\n\nAssistant: C"})");
  CHECK(nested.prompt == "\n\nHuman: Hi\n\nAssistant:");
  CHECK(nested.response == " A");
  const auto bare = first(R"({"chosen":"great camera","rejected":"poor camera","gap":3.85})");
  CHECK(bare.prompt.empty());
  CHECK(bare.response == "great camera");
  CHECK(bare.rejected == "poor camera");
}

TEST_CASE("preferences as message lists, with the question in both or in the prompt") {
  const std::string user = R"({"role":"user","content":"q"})", good = R"({"role":"assistant","content":"g"})",
                    bad = R"({"role":"assistant","content":"b"})";
  for (const auto &line :
       {R"({"chosen":[)" + user + "," + good + R"(],"rejected":[)" + user + "," + bad + "]}",
        R"({"prompt":[)" + user + R"(],"chosen":[)" + good + R"(],"rejected":[)" + bad + "]}",
        R"({"prompt":"q","chosen":[)" + good + R"(],"rejected":[)" + bad + "]}",
        R"({"prompt":"q","chosen":[)" + user + "," + good + R"(],"rejected":[)" + user + "," + bad + "]}",
        R"({"prompt":[)" + user + R"(],"chosen":"g","rejected":"b"})"}) {
    INFO(line);
    const auto row = first(line);
    CHECK(talk(row.turns) == "user:q|");
    CHECK(row.prompt == "q");
    CHECK(row.response == "g");
    CHECK(row.rejected == "b");
  }
}

TEST_CASE("rated answers and rated texts; plain texts") {
  const auto rated = parse_jsonl(R"({"text":"fine","score":1.5,"id":"1_2"})", "f");
  CHECK(rated.format == row_format::scored);
  CHECK(rated.rows[0].prompt.empty());
  CHECK(rated.rows[0].response == "fine");
  CHECK(rated.rows[0].score == 1.5);
  const auto plain = parse_jsonl(R"({"text":"fine"})", "f");
  CHECK(plain.format == row_format::demonstrations);
  CHECK(plain.rows[0].response == "fine");
}

TEST_CASE("prompt and completion, as texts and as lists of messages") {
  const auto texts = parse_jsonl(R"({"prompt":"p","completion":"c","answer":4})", "f");
  CHECK(texts.format == row_format::demonstrations);
  CHECK(texts.rows[0].prompt == "p");
  CHECK(texts.rows[0].response == "c");
  CHECK(texts.rows[0].answer == "4");
  const std::string asked = R"("prompt":[{"role":"user","content":"q"}])",
                    told = R"("completion":[{"role":"assistant","content":"a"}])";
  for (const auto &line : {"{" + asked + "," + told + "}", R"({"prompt":"q",)" + told + "}",
                           "{" + asked + R"(,"completion":"a"})", "{" + asked + R"(,"response":"a"})"}) {
    INFO(line);
    const auto row = first(line);
    CHECK(talk(row.turns) == "user:q|assistant:a|");
    CHECK(row.prompt == "q");
    CHECK(row.response.empty());
  }
  const auto led = first(
      R"({"prompt":[{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":"r"}],"completion":[{"role":"assistant","content":"b"}]})");
  CHECK_FALSE(led.turns[1].trained);  // what the prompt holds is only read
  CHECK(led.turns[3].trained);
}

TEST_CASE("prompts as lists of messages, with what a chat template is to know") {
  const auto data = parse_jsonl(
      R"({"prompt":[{"role":"user","content":"q"}],"tools":[{"name":"t"}],"chat_template_kwargs":{"enable_thinking":false,"none":null}})",
      "f");
  CHECK(data.format == row_format::prompts);
  CHECK(talk(data.rows[0].turns) == "user:q|");
  CHECK(data.rows[0].prompt == "q");
  CHECK(data.rows[0].extras == R"({"tools":[{"name":"t"}],"enable_thinking":false})");
  CHECK(data.unread.empty());
}

TEST_CASE("labels are ratings of 1 and 0") {
  const auto rated = parse_jsonl(
      "{\"prompt\":\"p\",\"completion\":\"c\",\"label\":true}\n{\"prompt\":\"p\",\"completion\":\"d\","
      "\"label\":0}",
      "f");
  CHECK(rated.format == row_format::scored);
  CHECK(rated.rows[0].score == 1);
  CHECK(rated.rows[1].score == 0);
  CHECK(rated.rows[1].response == "d");
  const auto talked = first(
      R"({"prompt":[{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"a"}],"label":false})");
  CHECK(talk(talked.turns) == "user:q|");
  CHECK(talked.response == "a");
  CHECK(talked.score == 0);
  CHECK(parse_jsonl(R"({"text":"t","label":"news"})", "f").format == row_format::demonstrations);
  CHECK(first(R"({"prompt":"p","completion":"c","score":0.5})").score == 0.5);
  CHECK(first(R"({"text":"t","good":true})", {"", {{"score", "good"}}}).score == 1);
}

TEST_CASE("ShareGPT: conversations of from and value, with a system text of their own") {
  const auto data = parse_jsonl(
      R"({"conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"a"},{"from":"tool","value":"t"}],"system":"s","id":7})",
      "f");
  CHECK(data.format == row_format::demonstrations);
  CHECK(talk(data.rows[0].turns) == "system:s|user:q|assistant:a|tool:t|");
  CHECK(data.unread == std::vector<std::string>{"id"});
  CHECK(talk(first(R"({"messages":[{"from":"system","value":"s"},{"from":"user","value":"q"}]})").turns) ==
        "system:s|user:q|");
  const auto pair = first(
      R"({"conversations":[{"from":"human","value":"q"}],"chosen":{"from":"gpt","value":"a"},"rejected":{"from":"gpt","value":"b"}})");
  CHECK(talk(pair.turns) == "user:q|");
  CHECK(pair.response == "a");
  CHECK(pair.rejected == "b");
}

TEST_CASE("fields may lead into objects and lists") {
  const data_options inside{"", {{"answer", "reward_model.ground_truth"}}};
  const std::string line =
      R"({"data_source":"d","prompt":[{"role":"user","content":"q"}],"reward_model":{"style":"rule","ground_truth":"4"}})";
  const auto data = parse_jsonl(line, "f", inside);
  CHECK(data.rows[0].answer == "4");
  CHECK(data.unread == std::vector<std::string>{"data_source"});
  CHECK(first(R"({"prompt":"p","answers":["a","b"]})", {"", {{"answer", "answers.1"}}}).answer == "b");
  CHECK(first(R"({"prompt":"p","a.b":"c"})", {"", {{"answer", "a.b"}}}).answer == "c");
  CHECK_THROWS_WITH(first(R"({"prompt":"p","a.b":"c","a":{"b":"d"}})", {"", {{"answer", "a.b"}}}),
                    StartsWith("f:1: error: \"a.b\" is the name of a field and leads into another one"));
  CHECK_THROWS_WITH(
      first(line, {"", {{"answer", "reward_model.ground_truht"}}}),
      StartsWith("f: error: no row has the field \"reward_model.ground_truht\"") && Contains("reward_model"));
  CHECK_THROWS_WITH(first(R"({"prompt":"p","answers":["a"]})", {"", {{"answer", "answers.1"}}}),
                    Contains("no row has the field"));
  CHECK_THROWS_WITH(first(R"({"text":"t","mean":1})", {"texts", {{"score", "mean"}}}),
                    Contains("\"texts\" does not read"));
}

TEST_CASE("fields may have other names, and the format may be named") {
  const data_options renamed{"", {{"score", "mean"}}};
  CHECK(first(R"({"id":"1","text":"fine","mean":-0.9,"ratings":[]})", renamed).score == -0.9);
  const auto prompt = parse_jsonl(R"({"text":"go on"})", "f", {"", {{"prompt", "text"}}});
  CHECK(prompt.format == row_format::prompts);  // "text" means the prompt now, and no text
  CHECK(prompt.rows[0].prompt == "go on");
  const auto named =
      parse_jsonl(R"({"prompt":"p","response":"r","score":"high"})", "f", {"demonstrations", {}});
  CHECK(named.format == row_format::demonstrations);
  CHECK(std::isnan(named.rows[0].score));
  CHECK_THROWS_WITH(first(R"({"text":"t","mean":"x"})", renamed), Contains("\"mean\" must be a number"));
  CHECK_THROWS_WITH(parse_jsonl("{\"text\":\"t\",\"mean\":1}\n{\"text\":\"t\"}", "f", renamed),
                    Contains("f:2: error: the field \"mean\" is missing"));
  CHECK_THROWS_WITH(first("{}", {"alpacca", {}}), Contains("Did you mean \"alpaca\"?"));
}

TEST_CASE("a prompt may say who its teacher is, by a field of any name") {
  CHECK(first(R"({"prompt":"p","teacher":"math"})").teacher == "math");
  CHECK(first(R"({"prompt":"p","response":"r","about":"law"})", {"", {{"teacher", "about"}}}).teacher ==
        "law");
  CHECK(first(R"({"prompt":"p"})").teacher.empty());
  CHECK_THROWS_WITH(first(R"({"prompt":"p","teacher":3})"), Contains("\"teacher\" must be a string"));
}

TEST_CASE("bad rows of each format are named with what is expected") {
  struct bad_row {
    std::string line;
    std::vector<const char *> words;
  };
  const std::vector<bad_row> table{
      {R"({"instruction":"a"})", {"\"output\" is missing", "demonstrations"}},
      {R"({"instruction":"a","output":"b","input":3})", {"\"input\" must be a string, not 3"}},
      {R"({"question":"a"})", {"\"answer\" is missing"}},
      {R"({"messages":"hi"})", {"\"messages\" must be a list of messages"}},
      {R"({"messages":[]})", {"\"messages\" must be a list of messages"}},
      {R"({"messages":["hi"]})", {"message 1 of \"messages\" needs \"role\" and \"content\""}},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"user"}]})", {"message 2 of \"messages\""}},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0.5}]})",
       {"message 2", "\"weight\" must be true, false, 1 or 0"}},
      {R"({"tools":3,"messages":[{"role":"user","content":"a"}]})", {"\"tools\" must be a list"}},
      {R"({"messages":[{"role":"user","content":[]}]})", {"message 1", "empty list"}},
      {R"({"messages":[{"role":"user","content":7}]})", {"message 1", "both strings"}},
      {R"({"prompt":"a","completion":"b","label":"good"})", {"\"label\" must be true or false", "a string"}},
      {R"({"prompt":"a","completion":"b","label":2})", {"\"label\" must be true or false", "not 2"}},
      {R"({"prompt":"a","completion":[{"role":"user","content":"b"}]})",
       {"must end with the assistant's turn"}},
      {R"({"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})",
       {"\"prompt\" ends with the assistant's turn", "begun answer"}},
      {R"({"prompt":[{"role":"system","content":"a"}]})", {"no user's turn"}},
      {R"({"prompt":"a","completion":[{"role":"user","content":"b"},{"role":"assistant","content":"c"}],"label":true})",
       {"\"completion\" has more than one turn"}},
      {R"({"prompt":"a","response":"b","completion":"c","score":1})", {"both there"}},
      {R"({"prompt":"x","chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]})",
       {"\"prompt\" is another one"}},
      {R"({"prompt":"a","chosen":[{"role":"assistant","content":"b","weight":0}],"rejected":[{"role":"assistant","content":"c"}]})",
       {"\"chosen\" is not to be trained on"}},
      {R"({"instruction":"a","output":"b","history":[["c","d"]]})", {"\"history\" cannot be obeyed"}},
      {R"({"messages":[{"role":"user","content":"a"}],"images":["cat.png"]})",
       {"\"images\" cannot be obeyed"}},
      {R"({"prompt":"a","response":"b","tools":[{"name":"c"}]})", {"\"tools\" is for a chat template"}},
      {R"({"messages":[{"role":"user","content":"a"}],"tools":"[{"})",
       {"not valid JSON", "text in \"tools\""}},
      {R"({"messages":[{"role":"user","content":"a"}],"tools":{"name":"b"}})", {"\"tools\" must be a list"}},
      {R"({"messages":[{"role":"user","content":"a"}],"chat_template_kwargs":{"messages":1}})",
       {"may not hold \"messages\""}},
      {R"({"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}],"system":"c"})",
       {"\"system\" stands beside \"messages\""}},
      {R"({"messages":[{"role":"assistant","content":"a"}]})", {"no user's turn"}},
      {R"({"chosen":"a"})", {"\"rejected\" is missing", "pairs"}},
      {R"({"chosen":[{"role":"user","content":"a"}],"rejected":[]})", {"must end with the assistant's turn"}},
      {R"({"chosen":[{"role":"assistant","content":"a"}],"rejected":[{"role":"assistant","content":"b"}]})",
       {"\"prompt\" is missing"}},
      {R"({"chosen":[{"role":"user","content":"x"},{"role":"assistant","content":"a"}],"rejected":[{"role":"user","content":"y"},{"role":"assistant","content":"b"}]})",
       {"same dialogue but for the last turn"}},
      {R"({"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: c\n\nAssistant: d"})",
       {"alike up to the answer"}},
      {R"({"score":1})", {"\"prompt\" is missing", "scored answers"}},
      {R"({"prompt":"a","response":"b","score":null})", {"\"score\" is missing"}},
  };
  for (const auto &[line, words] : table) {
    INFO(line);
    const data_options as_scored{line.find("null") != std::string::npos ? "scored" : "", {}};
    CHECK_THROWS_AS(first(line, as_scored), input_error);
    CHECK_THROWS_WITH(first(line, as_scored), StartsWith("f:1: error: "));
    for (const char *word : words) CHECK_THROWS_WITH(first(line, as_scored), Contains(word));
  }
}

TEST_CASE("the table is in order: no format hides another one's lines") {
  for (const auto &format : data_formats()) {
    INFO(format.name);
    CHECK(&find_data_format(format.name) == &format);
    nlohmann::json row;
    for (const auto field : format.needs) row[std::string(field)] = "x";
    if (!format.beside.empty()) row[std::string(format.beside.front())] = "x";
    const field_names none;
    const std::filesystem::path file = "f";
    CHECK(recognised_format(row_reader(row.dump(), file, 1, none)) == &format);
  }
}

TEST_CASE("rankings are lists of texts from the best to the worst, and pairs may be ties") {
  const auto data = parse_jsonl(R"({"prompt":"p","ranking":["a","b","c"]})", "f");
  CHECK(data.format == row_format::rankings);
  CHECK(data.rows.at(0).ranking == std::vector<std::string>{"a", "b", "c"});
  CHECK(data.rows.at(0).prompt == "p");
  CHECK_THROWS_WITH(first(R"({"prompt":"p","ranking":["a"]})"), Contains("two answers or more"));
  CHECK_THROWS_WITH(first(R"({"prompt":"p","ranking":"a"})"), Contains("list of texts"));
  CHECK_THROWS_WITH(first(R"({"prompt":"p","ranking":["a",1]})"), Contains("texts alone"));
  CHECK(first(R"({"prompt":"p","chosen":"a","rejected":"b","tie":true})").tie);
  CHECK_FALSE(first(R"({"prompt":"p","chosen":"a","rejected":"b","tie":null})").tie);
  CHECK_THROWS_WITH(first(R"({"prompt":"p","chosen":"a","rejected":"b","tie":1})"),
                    Contains("true or false"));
}

#include "models/tokenizers/chat_tokens.hpp"

#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/templates/answers.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;
using test::Contains;
using ids = std::vector<std::int64_t>;

namespace {

/// Bytes, and " b" and "d\n" as tokens of their own: 259 and 260.
std::shared_ptr<const tokenizer> merging(const json &normalizer = nullptr) {
  const test::scratch folder;
  make_byte_tokenizer()->save(folder.path());
  json content = json::parse(test::read_text(folder / "tokenizer.json"));
  content["normalizer"] = normalizer;
  content["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"}, {"pattern", {{"Regex", " ?[a-z]+\\n?"}}}, {"behavior", "Isolated"}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
  content["model"]["vocab"]["\u0120b"] = 259;
  content["model"]["vocab"]["d\u010a"] = 260;
  content["model"]["merges"] = {"\u0120 b", "d \u010a"};
  return read_tokenizer({{"tokenizer.json", content.dump()}}, "F");
}

/// Llama 2's manner: a mark for spaces, put before every part between special tokens.
std::shared_ptr<const tokenizer> sentences() {
  const std::string mark = "\u2581";
  json vocabulary{{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}}, added = json::array();
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    vocabulary[name] = 3 + byte;
  }
  for (const char *name : {"<unk>", "<s>", "</s>"})
    added.push_back({{"id", vocabulary[name]}, {"content", name}, {"special", true}, {"normalized", false}});
  std::int64_t next = 259;
  for (const std::string &each : {mark, std::string("a"), std::string("b"), mark + "b"})
    vocabulary[each] = next++;
  const auto step = [](const char *type, json more) {
    more["type"] = type;
    return more;
  };
  const json normal = {step("Prepend", {{"prepend", mark}}),
                       step("Replace", {{"pattern", {{"String", " "}}}, {"content", mark}})};
  const json back = {step("Replace", {{"pattern", {{"String", mark}}}, {"content", " "}}),
                     step("ByteFallback", json::object()), step("Fuse", json::object()),
                     step("Strip", {{"content", " "}, {"start", 1}, {"stop", 0}})};
  const json content{{"added_tokens", added},
                     {"normalizer", {{"type", "Sequence"}, {"normalizers", normal}}},
                     {"pre_tokenizer", nullptr},
                     {"decoder", {{"type", "Sequence"}, {"decoders", back}}},
                     {"model",
                      {{"type", "BPE"},
                       {"unk_token", "<unk>"},
                       {"fuse_unk", true},
                       {"byte_fallback", true},
                       {"vocab", vocabulary},
                       {"merges", {mark + " b"}}}}};
  return read_tokenizer({{"tokenizer.json", content.dump()}}, "F");
}

std::string text_of(const std::vector<chat_piece> &pieces) {
  std::string all;
  for (const auto &piece : pieces) all += piece.text;
  return all;
}

/// The tokens that are trained, apart.
std::vector<std::string> trained_tokens(const std::vector<chat_piece> &pieces, const tokenizer &text) {
  const auto made = encode_joined(pieces, text);
  CHECK(made.ids == text.encode(text_of(pieces)));  // no id is another one because of the borders
  REQUIRE(made.trained.size() == made.ids.size());
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < made.ids.size(); ++i)
    if (made.trained[i]) tokens.push_back(text.bytes_of(made.ids[i], true));
  return tokens;
}

using words = std::vector<std::string>;

}  // namespace

TEST_CASE("a dialogue's ids are those of its whole text, also where tokens merge across a border") {
  const auto text = merging();
  CHECK(text->encode("x: b") == ids{3 + 'x', 3 + ':', 259});
  // " b" holds the question's last space and the answer's first letter, "d\n" the answer's last and a line's
  // end
  CHECK(trained_tokens({{"x: ", false}, {"b", true}, {"!", false}}, *text) == words{" b"});
  CHECK(trained_tokens({{"x:", false}, {"ad", true}, {"\ny", false}}, *text) == words{"a", "d\n"});
  CHECK(trained_tokens({{"x", false}, {"d", true}, {"\ny: ", false}, {"b<eos>", true}, {"\n", false}},
                       *text) == words{"d\n", " b", "<eos>"});
  CHECK(trained_tokens({{"x", false}, {"\u00e9", true}}, *text) == words{"\xc3", "\xa9"});
}

TEST_CASE("a tokenizer that adds spaces: borders are found by the ids of what stands before them") {
  const auto text = sentences();
  CHECK(text->encode("<s>a: b</s>") == ids{1, 259, 260, 3 + ':', 262, 2});
  CHECK(trained_tokens({{"<s>a: ", false}, {"b</s>", true}}, *text) == words{" b", "</s>"});
  CHECK(trained_tokens({{"<s>a", false}, {" b</s>", true}, {"<s>a", false}, {" a</s>", true}}, *text) ==
        words{" b", "</s>", " ", "a", "</s>"});
}

TEST_CASE("a tokenizer that writes what stands before an answer otherwise because of it is refused") {
  const auto text = merging({{"type", "NFC"}});
  CHECK(trained_tokens({{"e\u0301", false}, {"b", true}}, *text) == words{"b"});  // é: another byte offset
  const std::vector<chat_piece> pieces{{"e", false}, {"\u0301", true}};  // the accent joins the question
  CHECK_THROWS_WITH(encode_joined(pieces, *text),
                    Contains("writes the first 1 bytes of the dialogue otherwise"));
}

TEST_CASE("finding answers renders at most one part of the dialogue more for each message") {
  std::vector<chat_message> talk;
  for (int i = 0; i < 5; ++i)
    talk.push_back({"user", "q" + std::to_string(i)}), talk.push_back({"assistant", "a" + std::to_string(i)});
  std::size_t count = 0;
  const renderer_of_parts part = [&](std::size_t messages, bool opened) {
    ++count;
    std::string text;
    for (std::size_t i = 0; i < messages; ++i) text += "<" + talk[i].role + ">" + talk[i].content + "|";
    return text + (opened ? "<assistant>" : "");
  };
  const std::string whole = part(talk.size(), false);
  count = 0;
  CHECK(find_answers(whole, talk, part, "t").size() == 5);
  CHECK(count < talk.size());
  // one that opens an answer otherwise than dialogues write it needs half as many again
  const renderer_of_parts other = [&](std::size_t messages, bool opened) {
    return part(messages, false) + (opened ? "<think>" : "");
  };
  count = 0;
  CHECK(find_answers(whole, talk, other, "t").size() == 5);
  CHECK(count < talk.size() * 3 / 2);
}

TEST_CASE("what two renderings share of an answer ends with a whole character") {
  // the mark behind the first answer is another one later on, which begins with the same byte
  const std::vector<chat_message> talk{{"user", "q"}, {"assistant", "a"}, {"user", "r"}, {"assistant", "b"}};
  const renderer_of_parts part = [&](std::size_t messages, bool) -> std::string {
    if (messages == 4) return "qa\u00e9rb.";
    if (messages == 3) return "qa\u00e9r";
    return messages == 2 ? "qa\u00e8" : "q";
  };
  const auto spans = find_answers(part(4, false), talk, part, "t");
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].from == 1);
  CHECK(spans[0].to == 2);
}

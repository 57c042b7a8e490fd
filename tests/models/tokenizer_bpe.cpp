#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "models/error.hpp"
#include "models/tokenizers/regex_dialect.hpp"
#include "models/tokenizers/stream_decoder.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

using ids = std::vector<std::int64_t>;

std::filesystem::path small(const std::string &style) {
  return test::data("golden/tokenizers") / ("small-" + style);
}

json document(const std::string &style) {
  return json::parse(test::read_text(small(style) / "tokenizer.json"));
}

std::shared_ptr<const tokenizer> read(const json &content, const json &config = {}) {
  tokenizer_files files{{"tokenizer.json", content.dump()}};
  if (!config.is_null()) files.emplace_back("tokenizer_config.json", config.dump());
  return read_tokenizer(files, "F");
}

std::string refusal(const std::string &text) {
  try {
    read_tokenizer({{"tokenizer.json", text}}, "F");
  } catch (const input_error &problem) {
    return problem.what();
  }
  return "";
}

json added(const std::string &content, std::int64_t id) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", false}};
}

json with_added(const json &token) {
  json content = document("qwen");
  content["added_tokens"].push_back(token);
  return content;
}

}  // namespace

TEST_CASE("one byte, one token: the byte tokenizer") {
  const auto text = make_byte_tokenizer();
  CHECK(text->vocab_size() == 259);
  CHECK(text->pad() == 0);
  CHECK(text->bos() == 1);
  CHECK(text->eos() == 2);
  CHECK(text->encode("A\xc3\xa9\n") == ids{3 + 0x41, 3 + 0xc3, 3 + 0xa9, 3 + 0x0a});
  CHECK(text->encode("<bos>a<eos>") == ids{1, 3 + 0x61, 2});
  CHECK(text->decode({1, 3 + 0xc3, 3 + 0xa9, 2, 3 + 0xe2, 3 + 0x82}) == "\u00e9\ufffd");
  CHECK(text->decode({1, 3 + 0x61, 999, -5, 2}, true) == "<bos>a<eos>");
  CHECK(text->encode("").empty());
}

TEST_CASE("text that is not valid UTF-8 is refused") {
  const auto text = make_byte_tokenizer();
  const std::string bad =
      GENERATE("\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80");
  CHECK_THROWS_WITH(text->encode("ab" + bad), test::Contains("not valid UTF-8 at byte 2"));
}

TEST_CASE("a stream never holds half a character and adds up to the whole") {
  const auto text = make_byte_tokenizer();
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    ids tokens;
    const std::string pool = "a\u00e9\u20ac\U0001f600\xe2\x82\xf0\x9f\xff\xc3\xed\xa0";
    for (int i = 0; i < 12; ++i)
      tokens.push_back(random() % 8 == 0 ? 2 : 3 + static_cast<unsigned char>(pool[random() % pool.size()]));
    stream_decoder decoder(text);
    std::string whole;
    for (const auto id : tokens) whole += decoder.push(id);
    whole += decoder.finish();
    REQUIRE(whole == text->decode(tokens));
  }
  stream_decoder decoder(text);
  CHECK(decoder.push(3 + 0xf0) == "");
  CHECK(decoder.push(3 + 0x9f) == "");
  CHECK(decoder.push(3 + 0x98) == "");
  CHECK(decoder.push(3 + 0x80) == "\U0001f600");
  CHECK(decoder.push(3 + 0xe2) == "");
  CHECK(decoder.finish() == "\ufffd");
  CHECK(decoder.finish() == "");
}

TEST_CASE("what was loaded is saved byte for byte, what was made loads again") {
  const test::scratch from, to;
  for (const char *name : {"tokenizer.json", "tokenizer_config.json"})
    std::filesystem::copy_file(small("llama3") / name, from / name);
  from.write("chat_template.jinja", "{{ anything }}\n");
  from.write("special_tokens_map.json", "{ }");
  from.write("merges.txt", "#version: 0.2\n");
  load_tokenizer(from.path())->save(to.path());
  for (const auto &entry : std::filesystem::directory_iterator(from.path()))
    CHECK(test::read_text(to / entry.path().filename()) == test::read_text(entry.path()));
  const test::scratch made;
  make_byte_tokenizer()->save(made.path());
  CHECK(load_tokenizer(made.path())->encode("caf\u00e9<eos>") ==
        make_byte_tokenizer()->encode("caf\u00e9<eos>"));
}

TEST_CASE("words of every length are merged as the rule says: the lowest rank, the leftmost first") {
  const json content = document("gpt2");
  const auto text = read(content);
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (const json &merge : content["model"]["merges"]) {
    const auto pair = merge.get<std::string>();
    const auto space = pair.find(' ');
    ranks.emplace(std::pair(pair.substr(0, space), pair.substr(space + 1)), ranks.size());
  }
  std::mt19937 random(5);
  for (const std::size_t length : {1, 2, 7, 46, 47, 48, 49, 50, 64, 200, 1000}) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < length; ++i) parts.emplace_back(1, "theinoras"[random() % 9]);
    std::string word;
    for (const std::string &part : parts) word += part;
    for (;;) {
      std::size_t best = parts.size(), rank = ranks.size();
      for (std::size_t i = 0; i + 1 < parts.size(); ++i)
        if (const auto found = ranks.find({parts[i], parts[i + 1]});
            found != ranks.end() && found->second < rank)
          best = i, rank = found->second;
      if (best == parts.size()) break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    ids want;
    for (const std::string &part : parts) want.push_back(content["model"]["vocab"][part].get<std::int64_t>());
    REQUIRE(text->encode(word) == want);
  }
}

TEST_CASE("a word of a megabyte is no trouble") {
  const auto text = load_tokenizer(small("gpt2"));
  const std::string part = GENERATE("a", "the", " ", "1", "!?", "\n");
  std::string word;
  while (word.size() < 1 << 20) word += part;
  CHECK(text->decode(text->encode(word)) == word);
}

TEST_CASE("marks in canonical order are sorted without quadratic work") {
  std::string marks = "a";
  for (int i = 0; i < 200'000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  const auto text = load_tokenizer(small("qwen"));
  CHECK(text->decode(text->encode(marks)).starts_with("\u1ea1\u0323\u0323"));
}

TEST_CASE("added tokens: the longest wins, whitespace beside them may belong to them") {
  const auto longest = [](json content) {
    content["added_tokens"].push_back(added("<a", 600));
    content["added_tokens"].push_back(added("<ab>", 601));
    return read(content)->encode("<ab><a");
  };
  CHECK(longest(document("qwen")) == ids{601, 600});
  json token = added("<x>", 600);
  const auto bare = read(document("qwen"));
  const auto join = [&](const std::string &before, const std::string &after) {
    ids all = bare->encode(before);
    all.push_back(600);
    const ids rest = bare->encode(after);
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  };
  CHECK(read(with_added(token))->encode("of \u3000<x>\n of") == join("of \u3000", "\n of"));
  token["lstrip"] = true;
  CHECK(read(with_added(token))->encode("of \u3000<x>\n of") == join("of", "\n of"));
  token["rstrip"] = true;
  CHECK(read(with_added(token))->encode("of \u3000<x>\n of") == join("of", "of"));
  // A normalised token is looked for in the normalised text, another one in the text as it is.
  token = added("e\u0301", 600);
  CHECK(read(with_added(token))->encode("\u00e9") == bare->encode("\u00e9"));
  token["normalized"] = true;
  CHECK(read(with_added(token))->encode("\u00e9") == ids{600});
  CHECK(read(with_added(token))->decode({600}) == "e\u0301");
}

TEST_CASE("special tokens around a text come from the post-processor") {
  json content = document("llama3");
  const json framed = {{"type", "TemplateProcessing"},
                       {"single",
                        {{{"SpecialToken", {{"id", "<bos>"}, {"type_id", 0}}}},
                         {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                         {{"SpecialToken", {{"id", "<eos>"}, {"type_id", 0}}}}}},
                       {"special_tokens", {{"<bos>", {{"ids", {1}}}}, {"<eos>", {{"ids", {2}}}}}}};
  content["post_processor"] = {{"type", "Sequence"}, {"processors", {{{"type", "ByteLevel"}}, framed}}};
  const auto text = read(content);
  ids want = text->encode("of");
  CHECK(want == load_tokenizer(small("llama3"))->encode("of"));
  want.insert(want.begin(), 1);
  want.push_back(2);
  CHECK(text->encode_with_special("of") == want);
}

TEST_CASE("a token that only tokenizer_config.json names is special too") {
  json content = document("gpt2");
  const auto text = read(content, {{"eos_token", "Ġthe"}});
  CHECK(text->eos() == content["model"]["vocab"]["Ġthe"]);
  CHECK(text->decode({text->eos()}) == "");
  CHECK_THROWS_WITH(read(content, {{"eos_token", "nowhere"}}),
                    test::Contains("tokenizer_config.json: error: eos_token"));
}

TEST_CASE("what would change ids and is not supported is refused by name") {
  const auto [patch, why] = GENERATE(table<std::string, std::string>({
      {R"({"model": {"dropout": 0.1}})", "model.dropout: 0.1"},
      {R"({"model": {"continuing_subword_prefix": "##"}})", "model.continuing_subword_prefix"},
      {R"({"model": {"end_of_word_suffix": "</w>"}})", "model.end_of_word_suffix"},
      {R"({"model": {"byte_fallback": true}})", "pre_tokenizer: only one Metaspace"},
      {R"({"model": {"unk_token": "<unk>", "vocab": {"!": null}}})", "model.unk_token"},
      {R"({"model": {"vocab": {"x y z": 1000000}}})", "model.vocab: \"x y z\" has an id far beyond"},
      {R"({"model": {"vocab": {"x y z": 7}}})", "has the id of another token"},
      {R"({"model": {"vocab": {"x y z": "7"}}})", "must have a whole number"},
      {R"({"model": {"vocab": null}})", "model.vocab"},
      {R"({"model": {"merges": ["a"]}})", "model.merges[0]"},
      {R"({"model": {"merges": ["a b c"]}})", "model.merges[0]"},
      {R"({"model": {"merges": [["a"]]}})", "model.merges[0]"},
      {R"({"model": {"merges": [["a", "nowhere"]]}})",
       "model.merges[0]: \"nowhere\" is not in the vocabulary"},
      {R"({"model": {"merges": {}}})", "model.merges"},
      {R"({"model": {"ignore_merges": 1}})", "model.ignore_merges"},
      {R"({"model": {"type": "Unigram"}})", "model.type: \"Unigram\" is not supported"},
      {R"({"normalizer": {"type": "Lowercase"}})", "normalizer.type"},
      {R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip"}]}})",
       "normalizer.normalizers[1].type"},
      {R"({"pre_tokenizer": null})", "pre_tokenizer"},
      {R"({"pre_tokenizer": {"type": "Metaspace"}})", "pre_tokenizer.type: \"Metaspace\""},
      {R"({"pre_tokenizer": {"type": "Digits"}})", "ByteLevel pre-tokenizer only"},
      {R"({"pre_tokenizer": {"add_prefix_space": "no"}})", "pre_tokenizer.add_prefix_space"},
      {R"({"post_processor": {"type": "RobertaProcessing"}})", "post_processor.type"},
      {R"({"post_processor": {"type": "TemplateProcessing", "single": []}})", "post_processor.single"},
      {R"({"decoder": null})", "decoder"},
      {R"({"decoder": {"type": "WordPiece"}})", "decoder.type"},
      {R"({"truncation": {"max_length": 3}})", "truncation"},
      {R"({"padding": {"strategy": "BatchLongest"}})", "padding"},
      {R"({"added_tokens": {}})", "added_tokens"},
      {R"({"added_tokens": [{"id": 900, "content": "x", "single_word": true}]})",
       "added_tokens[0].single_word"},
      {R"({"added_tokens": [{"id": 9, "content": "x y"}]})", "has the id of another token"},
      {R"({"added_tokens": [{"id": 99999999, "content": "x"}]})", "far beyond"},
      {R"({"added_tokens": [{"id": 900, "content": "!"}]})", "another id in model.vocab"},
  }));
  json content = document("gpt2");
  content.merge_patch(json::parse(patch));
  CHECK_THAT(refusal(content.dump()),
             Catch::Matchers::StartsWith("F/tokenizer.json: error: ") && test::Contains(why));
}

TEST_CASE("patterns that Oniguruma may understand differently are refused") {
  const auto [pattern, why] = GENERATE(table<std::string, std::string>({
      {R"(\w+)", "an escape other"},
      {R"(\bx)", "an escape other"},
      {R"(\h)", "an escape other"},
      {R"(\p{Han}+)", "no general category"},
      {R"(\p{N}{1,3}+)", "{m,n} followed by"},
      {R"([a-z&&b])", "&& in a class"},
      {R"([a[bc]])", "a class within"},
      {R"(^a)", "^ or $"},
      {R"((?i)a)", "a group of another kind"},
      {R"((?i:\p{Lu}))", "more than letters"},
      {R"((?<name>a))", "a group of another kind"},
      {R"(a{,3})", "a brace"},
      {R"([a)", "a class without an end"},
      {"a\\", "a backslash at the end"},
      {"(a", "does not compile at byte 2"},
      {"a*", "matches the empty text"},
      {"", "is empty"},
  }));
  json content = document("llama3");
  content["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = pattern;
  CHECK_THAT(refusal(content.dump()),
             test::Contains("pre_tokenizer.pretokenizers[0].pattern") && test::Contains(why));
  CHECK(dialect_difference(R"((?i:'s|'t)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}]+|\s+(?!\S))") ==
        "");
}

TEST_CASE("parts of a text may be split off and dropped") {
  json content = document("gpt2");
  const json last = content["pre_tokenizer"];
  const auto split = [&](const json &first, const std::string &text) {
    content["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {first, last}}};
    const auto made = read(content);
    return made->decode(made->encode(text));
  };
  const json digits = {{"Regex", "\\p{Nd}+"}};
  const auto step = [](const json &pattern, const char *behavior, bool invert) {
    return json{{"type", "Split"}, {"pattern", pattern}, {"behavior", behavior}, {"invert", invert}};
  };
  CHECK(split(step(digits, "Isolated", false), "a12b3") == "a12b3");
  CHECK(split(step(digits, "Removed", false), "a12b3") == "ab");
  CHECK(split(step(digits, "Removed", true), "a12b3") == "123");
  CHECK(split(step({{"String", "."}}, "Removed", false), "a.b..c") == "abc");
  CHECK_THROWS_WITH(split(last, "a"),
                    test::Contains("pretokenizers[1]: nothing is supported after ByteLevel"));
}

TEST_CASE("damaged files are one error each, never more") {
  const auto style = GENERATE("gpt2", "llama3", "qwen");
  const std::string good = document(style).dump();
  std::mt19937 random(11);
  std::size_t refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string bad = good;
    const auto change = [&](std::size_t limit) {
      const std::size_t at = random() % std::min(limit, bad.size());
      switch (random() % 4) {
        case 0:
          bad[at] = static_cast<char>(random());
          break;
        case 1:
          bad.erase(at, 1 + random() % 9);
          break;
        case 2:
          bad.insert(at, good.substr(random() % good.size(), random() % 30));
          break;
        default:
          bad.insert(at, "99999999999");
          break;
      }
    };
    for (std::size_t i = 0; i <= random() % 3; ++i) change(random() % 2 == 0 ? 1500 : bad.size());
    if (round % 10 == 0) bad.resize(random() % bad.size());
    const std::string message = refusal(bad);
    refused += !message.empty();
    if (!message.empty()) REQUIRE_THAT(message, Catch::Matchers::StartsWith("F/tokenizer.json"));
  }
  CHECK(refused > 30);
}

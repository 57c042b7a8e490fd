#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "models/error.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "models/tokenizers/train.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using pair = std::pair<std::string, std::string>;

// The definition, counting everything anew for each merge.
std::vector<pair> naive(const word_table &words, std::size_t vocab_size) {
  std::vector<std::pair<std::vector<std::string>, std::size_t>> cut;
  for (const auto &[word, count] : words) {
    cut.push_back({{}, count});
    for (const char c : word) cut.back().first.emplace_back(1, c);
  }
  std::vector<pair> merges;
  std::set<std::string> made;
  while (259 + made.size() < vocab_size) {
    std::map<pair, std::size_t> counts;
    for (const auto &[parts, count] : cut)
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) counts[{parts[i], parts[i + 1]}] += count;
    std::pair<pair, std::size_t> best{{}, 1};
    for (const auto &each : counts)
      if (each.second > best.second) best = each;
    if (best.second < 2) break;
    merges.push_back(best.first);
    made.insert(best.first.first + best.first.second);
    for (auto &[parts, count] : cut)
      for (std::size_t i = 0; i + 1 < parts.size(); ++i)
        if (pair(parts[i], parts[i + 1]) == best.first) {
          parts[i] += parts[i + 1];
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
  }
  return merges;
}

std::string some_text(unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  for (int i = 0; i < 800; ++i) {
    const auto length = 1 + random() % 9;
    for (std::size_t j = 0; j < length; ++j) text += "aaabbcd\xc3"[random() % 7];
    text += random() % 5 == 0 ? "\n" : " ";
  }
  return text;
}

}  // namespace

TEST_CASE("training merges what the definition says") {
  const unsigned seed = GENERATE(1u, 2u, 3u);
  word_counts counts(find_bpe_style("gpt2"));
  counts.add(some_text(seed));
  const auto merges = train_bpe(counts.words(), 460).merges;
  CHECK(merges.size() > 100);
  CHECK(merges == naive(counts.words(), 460));
}

TEST_CASE("words that repeat a letter are counted right") {
  const auto words =
      GENERATE(word_table{{"aaaa", 2}, {"aaaaaaa", 3}, {"baaab", 1}}, word_table{{"abababab", 2}},
               word_table{{"aabaabaa", 2}, {"aab", 4}, {"abcabcabc", 3}});
  CHECK(train_bpe(words, 300).merges == naive(words, 300));
}

TEST_CASE("a trained tokenizer has the size asked for and reads back every text") {
  const std::string style = GENERATE("gpt2", "llama3", "qwen");
  const bpe_style cut = find_bpe_style(style);
  word_counts counts(cut);
  counts.add(some_text(4) + "caf\u00e9 123456 don't<eos> " + some_text(5));
  const auto files = write_bpe_files(train_bpe(counts.words(), 400), cut);
  const auto text = read_tokenizer(files, "made");
  CHECK(text->vocab_size() == 400);
  CHECK(text->eos() == 2);
  const std::string sample = "abcd \u20ac caf\u00e9 1234 \U0001f600 don't\n\n";
  CHECK(text->decode(text->encode(sample)) == sample);
  CHECK(text->encode("aaab").size() < 4);
  CHECK(write_bpe_files(train_bpe(counts.words(), 400), cut) == files);
}

TEST_CASE("parts of a text count as the whole, special tokens not at all") {
  const std::string style = GENERATE("gpt2", "llama3", "qwen");
  std::string text;
  for (int i = 0; i < 300; ++i) text += "one \n\n two\r\n  three<eos>\tfour \nfive\n";
  word_counts whole(find_bpe_style(style)), parts(find_bpe_style(style));
  whole.add(text);
  for (std::string_view rest = text; !rest.empty();) {
    const auto part = part_of_text(rest, 97);
    REQUIRE(part > 0);
    parts.add(rest.substr(0, part));
    rest.remove_prefix(part);
  }
  CHECK(parts.words() == whole.words());
  for (const auto &[word, count] : whole.words()) REQUIRE(word.find("eos") == word.npos);
}

TEST_CASE("what cannot be trained is refused") {
  CHECK_THROWS_WITH(train_bpe({}, 258), test::Contains("259"));
  CHECK(train_bpe({{"abc", 1}}, 300).merges.empty());
  CHECK_THROWS_WITH(find_bpe_style("bert"), test::Contains("gpt2, llama3, qwen"));
  word_counts counts(find_bpe_style("gpt2"));
  CHECK_THROWS_AS(counts.add("a\xff"), input_error);
}

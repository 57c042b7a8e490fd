// BPE over characters with byte fallback, as Llama 2's and Gemma's tokenizers have it. The ids are those of
// Hugging Face's library 0.23 for the same files.
#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;
using test::Contains;
using ids = std::vector<std::int64_t>;

namespace {

const std::string mark = "\u2581";

json replace(const char *from, const std::string &to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

json sequence(const char *list, const json &parts) {
  return {{"type", "Sequence"}, {list, parts}};
}

json metaspace(const char *scheme, bool split) {
  return {{"type", "Metaspace"}, {"replacement", mark}, {"prepend_scheme", scheme}, {"split", split}};
}

// <unk> 0, <s> 1, </s> 2, the bytes 3 to 258, the mark 259, a 260, b 261, ab 262, mark + a 263.
json llama() {
  json vocabulary{{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(byte));
    vocabulary[name] = 3 + byte;
  }
  vocabulary[mark] = 259, vocabulary["a"] = 260, vocabulary["b"] = 261, vocabulary["ab"] = 262;
  vocabulary[mark + "a"] = 263;
  json added = json::array();
  for (const char *name : {"<unk>", "<s>", "</s>"})
    added.push_back({{"id", vocabulary[name]}, {"content", name}, {"special", true}, {"normalized", false}});
  const json backwards =
      sequence("decoders", {replace(mark.c_str(), " "),
                            {{"type", "ByteFallback"}},
                            {{"type", "Fuse"}},
                            {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}});
  return {
      {"added_tokens", added},
      {"normalizer", sequence("normalizers", {{{"type", "Prepend"}, {"prepend", mark}}, replace(" ", mark)})},
      {"pre_tokenizer", nullptr},
      {"decoder", backwards},
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"fuse_unk", true},
        {"byte_fallback", true},
        {"vocab", vocabulary},
        {"merges", {"a b", mark + " a"}}}}};
}

std::shared_ptr<const tokenizer> read(const json &content) {
  return read_tokenizer({{"tokenizer.json", content.dump()}}, "F");
}

}  // namespace

TEST_CASE("spaces become marks, one is put before a text, and other characters are written in bytes") {
  const auto text = read(llama());
  CHECK(text->encode("ab a") == ids{259, 262, 263});
  CHECK(text->encode("") == ids{});
  CHECK(text->encode(" b") == ids{259, 259, 261});
  CHECK(text->encode("\u00e9\n") == ids{259, 198, 172, 13});
  CHECK(text->encode("<s>ab</s>") == ids{1, 259, 262, 2});
  CHECK(text->decode({259, 262, 263}) == "ab a");
  CHECK(text->decode({259, 198, 172, 13}) == "\u00e9\n");
  CHECK(text->decode({259, 198, 260}) == "\ufffda");
  CHECK(text->decode({1, 259, 262, 2}) == "ab");
  CHECK(text->decode({1, 262, 2}, true) == "<s>ab</s>");
  CHECK(text->bytes_of(263) == " a");
  CHECK(text->bytes_of(198) == "\xc3");
}

TEST_CASE("Metaspace puts its mark where its scheme says") {
  json content = llama();
  content["normalizer"] = nullptr;
  content["pre_tokenizer"] = metaspace("first", false);
  CHECK(read(content)->encode("ab<s>ab") == ids{259, 262, 1, 262});
  content["pre_tokenizer"] = metaspace("always", true);
  CHECK(read(content)->encode("ab<s>ab") == ids{259, 262, 1, 259, 262});
  CHECK(read(content)->encode(" a a") == ids{263, 263});
  content["pre_tokenizer"] = metaspace("never", true);
  CHECK(read(content)->encode("ab a") == ids{262, 263});
  content["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", mark}, {"add_prefix_space", true}};
  CHECK(read(content)->encode("ab") == ids{259, 262});
  content["decoder"] = metaspace("always", true);
  CHECK(read(content)->decode({259, 262, 263}) == "ab a");
}

TEST_CASE("a vocabulary without all bytes has an unknown token, or refuses") {
  json content = llama();
  content["model"]["vocab"].erase("<0xC3>");
  CHECK(read(content)->encode("\u00e9\u00e9b") == ids{259, 0, 261});
  content["model"]["fuse_unk"] = false;
  CHECK(read(content)->encode("\u00e9\u00e9b") == ids{259, 0, 0, 261});
  content["model"]["unk_token"] = nullptr;
  CHECK_THROWS_WITH(read(content)->encode("\u00e9"), Contains("no token for"));
}

TEST_CASE("what would change ids and is not known is refused by name") {
  const auto refusal = [](const char *field, const json &value) {
    json content = llama();
    content[json::json_pointer(field)] = value;
    try {
      read(content);
    } catch (const input_error &problem) {
      return std::string(problem.what());
    }
    return std::string();
  };
  CHECK_THAT(refusal("/normalizer/normalizers/0/type", "Lowercase"),
             Contains("normalizer.normalizers[0].type"));
  CHECK_THAT(refusal("/pre_tokenizer", {{"type", "Whitespace"}}), Contains("pre_tokenizer"));
  CHECK_THAT(refusal("/decoder/decoders/3/stop", 1), Contains("decoder.decoders[3]"));
  CHECK_THAT(refusal("/model/merges/0", "a c"), Contains("model.merges[0]"));
  CHECK_THAT(refusal("/model/vocab/a", 262), Contains("model.vocab"));
  CHECK_THAT(refusal("/model/vocab/a", 99999999), Contains("model.vocab"));
  CHECK_THAT(refusal("/model/unk_token", "x"), Contains("model.unk_token"));
  CHECK_THAT(refusal("/model/dropout", 0.1), Contains("model.dropout"));
}

#include "models/tokenizers/bpe_document.hpp"

#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/tokenizers/byte_alphabet.hpp"
#include "models/tokenizers/special_tokens.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

std::string modern_pattern(const char *digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + std::string(digits) +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

json byte_level(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

json cutting(const bpe_style &style) {
  if (style.pattern.empty()) return byte_level(true);
  const json split{{"type", "Split"},
                   {"pattern", {{"Regex", style.pattern}}},
                   {"behavior", "Isolated"},
                   {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", json::array({split, byte_level(false)})}};
}

json added(const special_tokens &special) {
  json list = json::array();
  for (const added_token &token : special.added)
    list.push_back({{"id", token.id},
                    {"content", token.content},
                    {"single_word", false},
                    {"lstrip", false},
                    {"rstrip", false},
                    {"normalized", false},
                    {"special", true}});
  return list;
}

json model_of(const bpe_vocabulary &vocabulary, const bpe_style &style, const special_tokens &special) {
  json tokens = json::object(), merges = json::array();
  std::size_t next = 0;
  for (const added_token &token : special.added) tokens[token.content] = next++;
  for (const std::string &byte : byte_characters()) tokens[byte] = next++;
  for (const auto &[left, right] : vocabulary.merges) {
    const std::string first = printable(left), second = printable(right);
    merges.push_back(first + " " + second);
    if (tokens.emplace(first + second, next).second) ++next;  // another pair may have made the same token
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", nullptr},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", false},
          {"byte_fallback", false},
          {"ignore_merges", style.ignore_merges},
          {"vocab", std::move(tokens)},
          {"merges", std::move(merges)}};
}

}  // namespace

bpe_style find_bpe_style(std::string_view name) {
  if (name == "gpt2") return {"gpt2", "", false, false};
  if (name == "llama3") return {"llama3", modern_pattern(R"(\p{N}{1,3})"), true, false};
  if (name == "qwen") return {"qwen", modern_pattern(R"(\p{N})"), false, true};
  throw input_error("there is no style \"" + std::string(name) + "\"; there are gpt2, llama3, qwen");
}

std::string pre_tokenizer_json(const bpe_style &style) {
  return cutting(style).dump();
}

tokenizer_files write_bpe_files(const bpe_vocabulary &vocabulary, const bpe_style &style) {
  const special_tokens special = padding_and_ends();
  const json content{{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added(special)},
                     {"normalizer", style.nfc ? json{{"type", "NFC"}} : json()},
                     {"pre_tokenizer", cutting(style)},
                     {"post_processor", nullptr},
                     {"decoder", byte_level(true)},
                     {"model", model_of(vocabulary, style, special)}};
  const json config{{"tokenizer_class", "PreTrainedTokenizerFast"},
                    {"clean_up_tokenization_spaces", false},
                    {"pad_token", "<pad>"},
                    {"bos_token", "<bos>"},
                    {"eos_token", "<eos>"}};
  return {{"tokenizer.json", content.dump(1)}, {"tokenizer_config.json", config.dump(1)}};
}

std::shared_ptr<const tokenizer> make_byte_tokenizer() {
  return read_tokenizer(write_bpe_files({}, find_bpe_style("gpt2")), "bytes");
}

}  // namespace slipstream

#include "models/files/gguf/pre_tokenizers.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

namespace slipstream {
namespace {

using nlohmann::json;

// One row a way to cut; the first name is the one to write. Patterns are those of the models' own tokenizers.
constexpr std::array gguf_pre_tokenizers{
    gguf_pre_tokenizer{
        " gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat jina-es jina-de jina-v2-es "
        "jina-v2-de jina-v1-en jina-v2-code roberta-bpe a.x-4.0 mellum modern-bert exaone4 ",
        "words"},
    gguf_pre_tokenizer{" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 ", "modern 3",
                       true, true},
    gguf_pre_tokenizer{" dbrx smaug-bpe chatglm-bpe ", "modern 3"},
    gguf_pre_tokenizer{" glm4 ", "modern 3", true},
    gguf_pre_tokenizer{" qwen2 deepseek-r1-qwen kormo megrez ", "modern 1", false, false, true},
    gguf_pre_tokenizer{" stablelm2 hunyuan solar-open ", "modern 1"},
    gguf_pre_tokenizer{" smollm starcoder refact command-r codeshell exaone minerva-7b mellum2 ",
                       "digit words"},
    gguf_pre_tokenizer{" falcon ", "falcon"},
    gguf_pre_tokenizer{" default ", "default"}};

constexpr const char *word_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

json level(bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

json split_at(const std::string &pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

std::string newer_pattern(const char *digits) {
  return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + std::string(digits) +
         R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

std::vector<std::string> patterns(std::string_view cut) {
  if (cut == "modern 3") return {newer_pattern(R"(\p{N}{1,3})")};
  if (cut == "modern 1") return {newer_pattern(R"(\p{N})")};
  if (cut == "digit words") return {R"(\p{N})", word_pattern};
  if (cut == "falcon") return {R"([\p{P}\$\+<=>\^~\|`]+)", word_pattern, "[0-9][0-9][0-9]"};
  if (cut == "default") return {R"([\p{P}\$\+<=>\^~\|]+)", word_pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"};
  return {word_pattern};
}

// The patterns by which a tokenizer.json splits text, in their order; empty where it splits by other means.
bool add_patterns(const json &part, std::vector<std::string> &found) {
  const std::string type =
      part.is_object() && part.contains("type") && part["type"].is_string() ? part["type"] : json("");
  if (type == "Sequence" && part.contains("pretokenizers") && part["pretokenizers"].is_array()) {
    for (const auto &each : part["pretokenizers"])
      if (!add_patterns(each, found)) return false;
    return true;
  }
  if (type == "ByteLevel") {
    if (part.value("add_prefix_space", true)) return false;
    if (part.value("use_regex", true)) found.emplace_back(word_pattern);
    return true;
  }
  if (type == "Digits") {
    found.emplace_back(part.value("individual_digits", false) ? R"(\p{N})" : R"(\p{N}+)");
    return true;
  }
  if (type != "Split" || part.value("behavior", "") != "Isolated") return false;
  const json pattern = part.value("pattern", json::object());
  if (!pattern.is_object() || !pattern.contains("Regex") || !pattern["Regex"].is_string()) return false;
  found.push_back(pattern["Regex"]);
  return true;
}

std::string first_name(const gguf_pre_tokenizer &row) {
  const std::string_view names = row.names;
  return std::string(names.substr(1, names.find(' ', 1) - 1));
}

}  // namespace

const gguf_pre_tokenizer *find_gguf_pre_tokenizer(std::string_view name) {
  if (name.find(' ') != name.npos || name.empty()) return nullptr;
  const std::string word = " " + std::string(name) + " ";
  for (const auto &row : gguf_pre_tokenizers)
    if (std::string_view(row.names).find(word) != std::string_view::npos) return &row;
  return nullptr;
}

std::string gguf_pre_tokenizer_names() {
  std::string all;
  for (const auto &row : gguf_pre_tokenizers) {
    std::string names = row.names;
    names.pop_back();
    for (const char byte : names) all += byte == ' ' ? (all.empty() ? "" : ", ") : std::string(1, byte);
  }
  return all;
}

json gguf_cutting(const gguf_pre_tokenizer &row) {
  const auto all = patterns(row.cut);
  if (all.size() == 1 && all.front() == word_pattern) return level(true);
  json steps = json::array();
  for (const auto &pattern : all) steps.push_back(split_at(pattern));
  steps.push_back(level(false));
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

std::string gguf_pre_tokenizer_of(const json &pre_tokenizer, bool ignore_merges, bool nfc) {
  std::vector<std::string> found;
  if (!add_patterns(pre_tokenizer, found)) return "";
  for (const auto &row : gguf_pre_tokenizers)
    if (found == patterns(row.cut) && row.ignore_merges == ignore_merges && row.nfc == nfc)
      return first_name(row);
  return "";
}

}  // namespace slipstream

#include "models/files/gguf/tokenizer.hpp"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "models/error.hpp"
#include "models/files/gguf/pre_tokenizers.hpp"
#include "models/files/gguf/spec.hpp"
#include "models/tokenizers/utf8.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

constexpr const char *tokens_key = "tokenizer.ggml.tokens", *merges_key = "tokenizer.ggml.merges",
                     *types_key = "tokenizer.ggml.token_type", *pre_key = "tokenizer.ggml.pre",
                     *model_key = "tokenizer.ggml.model", *template_key = "tokenizer.chat_template";
enum token_kind : std::int64_t { normal = 1, unknown, control, user_defined, unused, byte };

std::string in_quotes(std::string_view text) {
  return json(text.substr(0, 60)).dump(-1, ' ', true, json::error_handler_t::replace);
}

// The name of an entry of a list, for messages.
std::string at(const char *key, std::size_t index) {
  return std::string(key) + "[" + std::to_string(index) + "]";
}

void require_text(const gguf_file &file, const std::string &key, std::string_view text) {
  try {
    require_utf8(text);
  } catch (const input_error &problem) {
    file.refuse(key, problem.what());
  }
}

void require_bpe(const gguf_file &file) {
  const auto model = file.text(model_key);
  if (!model) file.refuse(model_key, "is missing; is it a whole GGUF model?");
  if (*model == "gpt2") return;
  const bool sentence = *model == "llama" || *model == "t5";
  file.refuse(model_key, in_quotes(*model) + " is not supported" +
                             (*model == "llama" ? " (SentencePiece)"
                              : sentence        ? " (SentencePiece unigram)"
                                                : "") +
                             "; byte-level BPE (\"gpt2\") is" +
                             (sentence ? ": give the model's Hugging Face folder" : ""));
}

const gguf_pre_tokenizer &pre_tokenizer_of(const gguf_file &file) {
  const auto name = file.text(pre_key).value_or("default");  // as llama.cpp reads files of before the key
  if (const auto *row = find_gguf_pre_tokenizer(name)) return *row;
  file.refuse(pre_key, in_quotes(name) + " is not supported; supported are: " + gguf_pre_tokenizer_names());
}

// The tokens of a file with their kinds.
struct token_list {
  std::vector<std::string_view> texts;
  std::vector<std::int64_t> kinds;

  bool filler(std::size_t id) const {  // rows of an embedding that was made larger
    return kinds[id] == unused && texts[id] == "[PAD" + std::to_string(id) + "]";
  }
};

token_list read_tokens(const gguf_file &file) {
  token_list list{file.texts(tokens_key).value_or(std::vector<std::string_view>()), {}};
  if (list.texts.empty()) file.refuse(tokens_key, "there are none");
  if (const auto *embedding = file.find_tensor("token_embd.weight");
      embedding && list.texts.size() > static_cast<std::size_t>(embedding->shape.front()))
    file.refuse(tokens_key, "there are " + std::to_string(list.texts.size()) +
                                ", but token_embd.weight has " + std::to_string(embedding->shape.front()) +
                                " rows");
  list.kinds = file.wholes(types_key).value_or(std::vector<std::int64_t>(list.texts.size(), normal));
  if (list.kinds.size() != list.texts.size())
    file.refuse(types_key, "there are " + std::to_string(list.kinds.size()) + " for " +
                               std::to_string(list.texts.size()) + " tokens");
  for (std::size_t i = 0; i < list.kinds.size(); ++i)
    if (list.kinds[i] < 0 || list.kinds[i] > byte)
      file.refuse(at(types_key, i), std::to_string(list.kinds[i]) + " is no kind of token");
  return list;
}

std::unordered_map<std::string_view, std::size_t> ids_of_tokens(const gguf_file &file,
                                                                const token_list &list) {
  std::unordered_map<std::string_view, std::size_t> ids;
  ids.reserve(list.texts.size());
  for (std::size_t i = 0; i < list.texts.size(); ++i) {
    if (list.texts[i].empty()) file.refuse(at(tokens_key, i), "is an empty token");
    require_text(file, at(tokens_key, i), list.texts[i]);
    if (!ids.emplace(list.texts[i], i).second)
      file.refuse(at(tokens_key, i), in_quotes(list.texts[i]) + " is given twice");
  }
  return ids;
}

json merges_of(const gguf_file &file, const std::unordered_map<std::string_view, std::size_t> &ids) {
  const auto merges = file.texts(merges_key);
  if (!merges) file.refuse(merges_key, "is missing; is it a whole GGUF model?");
  json list = json::array();
  std::string whole;
  for (std::size_t i = 0; i < merges->size(); ++i) {
    const auto merge = (*merges)[i];
    const auto space = merge.find(' ');
    if (space == merge.npos || space == 0 || space + 1 == merge.size() ||
        merge.find(' ', space + 1) != merge.npos)
      file.refuse(at(merges_key, i), in_quotes(merge) + " must be two tokens with a space between them");
    whole.assign(merge.substr(0, space));
    whole += merge.substr(space + 1);
    for (const auto part : {merge.substr(0, space), merge.substr(space + 1), std::string_view(whole)})
      if (!ids.contains(part)) file.refuse(at(merges_key, i), in_quotes(part) + " is none of the tokens");
    list.push_back(merge);
  }
  return list;
}

json added_tokens(const token_list &list) {
  json added = json::array();
  for (std::size_t i = 0; i < list.texts.size(); ++i) {
    const bool special = list.kinds[i] == control || list.kinds[i] == unknown;
    if (!special && list.kinds[i] != user_defined) continue;
    added.push_back({{"id", i},
                     {"content", list.texts[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", special}});
  }
  return added;
}

json around(const gguf_file &file, const token_list &list) {
  const bool begin = gguf_adds_begin(file), end = file.flag("tokenizer.ggml.add_eos_token").value_or(false);
  json single = json::array(), pair, special = json::object();
  const auto text = [](const char *name) { return json{{"Sequence", {{"id", name}, {"type_id", 0}}}}; };
  const auto token = [&](const char *name) {
    const auto id = gguf_token(file, name);
    if (id < 0)
      file.refuse(std::string("tokenizer.ggml.add_") + name + "_token",
                  std::string("is true, but there is no tokenizer.ggml.") + name + "_token_id");
    const auto content = list.texts[static_cast<std::size_t>(id)];
    special[std::string(content)] = {{"id", content}, {"ids", {id}}, {"tokens", {content}}};
    return json{{"SpecialToken", {{"id", content}, {"type_id", 0}}}};
  };
  if (begin) single.push_back(token("bos"));
  single.push_back(text("A"));
  if (end) single.push_back(token("eos"));
  if (!begin && !end) return nullptr;
  pair = single;
  pair.push_back(text("B"));
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

// One template, or several with names.
json chat_templates(const gguf_file &file) {
  const auto plain = file.text(template_key);
  if (plain) require_text(file, template_key, *plain);
  json named = json::array();
  for (const auto &[key, value] : file.values()) {
    const std::string prefix = std::string(template_key) + ".";
    if (!key.starts_with(prefix)) continue;
    const auto text = *file.text(key);
    require_text(file, key.substr(0, 80), text);
    named.push_back({{"name", key.substr(prefix.size())}, {"template", text}});
  }
  if (named.empty()) return plain ? json(*plain) : json();
  if (plain) named.insert(named.begin(), json{{"name", "default"}, {"template", *plain}});
  return named;
}

}  // namespace

bool has_gguf_tokenizer(const gguf_file &file) {
  if (file.find(tokens_key)) return true;
  const auto model = file.text(model_key);
  return model && *model != "none" && *model != "no_vocab";
}

bool gguf_adds_begin(const gguf_file &file) {
  if (const auto told = file.flag("tokenizer.ggml.add_bos_token")) return *told;
  return pre_tokenizer_of(file).adds_begin && gguf_token(file, "bos") >= 0;
}

std::string gguf_tokenizer_json(const gguf_file &file) {
  require_bpe(file);
  const auto &cut = pre_tokenizer_of(file);
  const token_list list = read_tokens(file);
  const auto ids = ids_of_tokens(file, list);
  json vocabulary = json::object();
  for (std::size_t i = 0; i < list.texts.size(); ++i)
    if (!list.filler(i)) vocabulary[std::string(list.texts[i])] = i;
  json content{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens(list)},
      {"normalizer", cut.nfc ? json{{"type", "NFC"}} : json()},
      {"pre_tokenizer", gguf_cutting(cut)},
      {"post_processor", around(file, list)},
      {"decoder",
       {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}}}};
  content["model"] = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", cut.ignore_merges},
                      {"vocab", std::move(vocabulary)},
                      {"merges", merges_of(file, ids)}};
  return content.dump();
}

std::string gguf_tokenizer_config(const gguf_file &file) {
  json config{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  const token_list list = read_tokens(file);
  for (const auto &[name, ours] :
       {std::pair{"bos", "bos_token"}, {"eos", "eos_token"}, {"padding", "pad_token"}})
    if (const auto id = gguf_token(file, name); id >= 0) {
      const auto text = list.texts[static_cast<std::size_t>(id)];
      require_text(file, at(tokens_key, static_cast<std::size_t>(id)), text);
      config[ours] = text;
    }
  if (auto style = chat_templates(file); !style.is_null()) config["chat_template"] = std::move(style);
  return config.dump(1);
}

}  // namespace slipstream

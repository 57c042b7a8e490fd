#include "models/files/gguf/tokenizer_keys.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/files/gguf/pre_tokenizers.hpp"
#include "models/files/json.hpp"
#include "models/files/model_files.hpp"
#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class tokenizer_writing {
 public:
  tokenizer_writing(gguf_writer &to, const fs::path &place, const tokenizer &text, std::int64_t rows)
      : to_(to),
        place_(place),
        text_(text),
        rows_(rows),
        file_(model_text_name(place, "tokenizer.json")),
        content_(parse_json(read_model_text(place, "tokenizer.json"), file_)),
        model_(member(content_, "model")) {}

  void write() {
    to_.text("tokenizer.ggml.model", "gpt2");
    to_.text("tokenizer.ggml.pre", pre_tokenizer());
    tokens();
    merges();
    parts();
    frame();
    templates();
  }

 private:
  [[noreturn]] void lost(const std::string &field, const std::string &what) const {
    refuse_field(file_, field, what + " cannot be said in a GGUF file; export a folder instead");
  }

  std::string pre_tokenizer() const {
    if (member(model_, "byte_fallback") == true || !member(model_, "merges").is_array())
      lost("model", "only byte-level BPE can be written; this tokenizer");
    const json &normalizer = member(content_, "normalizer");
    const bool nfc = member(normalizer, "type") == "NFC";
    if (!normalizer.is_null() && !nfc) lost("normalizer", shown(normalizer));
    const auto name = gguf_pre_tokenizer_of(member(content_, "pre_tokenizer"),
                                            member(model_, "ignore_merges") == true, nfc);
    if (name.empty()) lost("pre_tokenizer", "this way to cut words, with this normalizer,");
    return name;
  }

  void tokens() const {
    std::vector<std::string> texts(static_cast<std::size_t>(rows_));
    std::vector<std::int32_t> kinds(static_cast<std::size_t>(rows_), 5);
    const auto put = [&](const std::string &token, const json &id, std::int32_t kind) {
      if (!id.is_number_unsigned() || id >= rows_)
        lost("model.vocab",
             "the token " + shown(token) + " beyond the model's " + std::to_string(rows_) + " rows");
      texts[id.get<std::size_t>()] = token;
      kinds[id.get<std::size_t>()] = kind;
    };
    for (const auto &[token, id] : member(model_, "vocab").items()) put(token, id, 1);
    for (const auto &token : member(content_, "added_tokens")) {
      for (const char *side : {"lstrip", "rstrip"})
        if (member(token, side) == true)
          lost("added_tokens", shown(member(token, "content")) + " with " + side);
      put(member(token, "content").get<std::string>(), member(token, "id"),
          member(token, "special") == true ? 3 : 4);
    }
    for (std::size_t i = 0; i < texts.size(); ++i)
      if (texts[i].empty()) texts[i] = "[PAD" + std::to_string(i) + "]";
    to_.texts("tokenizer.ggml.tokens", texts);
    to_.wholes("tokenizer.ggml.token_type", kinds);
  }

  void merges() const {
    std::vector<std::string> all;
    for (const auto &merge : model_.at("merges")) {
      all.push_back(merge.is_string()
                        ? merge.get<std::string>()
                        : merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>());
      if (std::count(all.back().begin(), all.back().end(), ' ') != 1)
        lost("model.merges", "a token with a space in it");
    }
    to_.texts("tokenizer.ggml.merges", all);
  }

  void part(const char *name, std::int64_t id) const {
    if (id >= 0) to_.whole(std::string("tokenizer.ggml.") + name + "_token_id", id);
  }

  void parts() const {
    std::vector<std::int64_t> ends;
    if (text_.eos() >= 0) ends.push_back(text_.eos());
    if (const auto *chosen = tokens_of(text_))
      for (const auto id : chosen->stops)
        if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
    if (ends.size() > 3)
      throw input_error(place_.string() + ": error: eos_token_id: generations stop at " +
                        std::to_string(ends.size()) +
                        " tokens, and a GGUF file names three; export a folder instead");
    constexpr const char *names[] = {"eos", "eot", "eom"};
    for (std::size_t i = 0; i < ends.size(); ++i) part(names[i], ends[i]);
    part("bos", text_.bos());
    part("padding", text_.pad());
  }

  // What stands around a text; llama.cpp guesses where it is not told.
  void frame() const {
    const auto plain = text_.encode("a"), whole = text_.encode_with_special("a");
    const auto at = std::search(whole.begin(), whole.end(), plain.begin(), plain.end());
    const std::vector<std::int64_t> before(whole.begin(), at);
    const std::vector<std::int64_t> after(
        at == whole.end() ? at : at + static_cast<std::ptrdiff_t>(plain.size()), whole.end());
    const auto only = [](const std::vector<std::int64_t> &ids, std::int64_t id) {
      return ids.empty() || (ids.size() == 1 && ids.front() == id);
    };
    if (!only(before, text_.bos()) || !only(after, text_.eos()))
      lost("post_processor", "what it puts around a text");
    to_.flag("tokenizer.ggml.add_bos_token", !before.empty());
    to_.flag("tokenizer.ggml.add_eos_token", !after.empty());
    to_.flag("tokenizer.ggml.add_space_prefix", false);
  }

  void put_template(const std::string &name, const std::string &text) {
    if (name == "default") return to_.text("tokenizer.chat_template", text);
    names_.push_back(name);
    to_.text("tokenizer.chat_template." + name, text);
  }

  void templates() {
    const bool own = has_model_text(place_, "chat_template.jinja");
    if (own) put_template("default", read_model_text(place_, "chat_template.jinja"));
    if (fs::is_directory(place_ / "chat_templates")) {
      for (const auto &entry : fs::directory_iterator(place_ / "chat_templates"))
        if (entry.path().extension() == ".jinja") put_template(entry.path().stem(), read_text(entry.path()));
    } else if (!own && has_model_text(place_, "tokenizer_config.json")) {
      const json config = parse_json(read_model_text(place_, "tokenizer_config.json"),
                                     model_text_name(place_, "tokenizer_config.json"));
      const json &found = member(config, "chat_template");
      if (found.is_string()) put_template("default", found);
      for (const json &each : found.is_array() ? found : json::array())
        if (member(each, "name").is_string() && member(each, "template").is_string())
          put_template(each["name"], each["template"]);
    }
    if (!names_.empty()) to_.texts("tokenizer.chat_templates", names_);
  }

  gguf_writer &to_;
  const fs::path &place_;
  const tokenizer &text_;
  std::int64_t rows_;
  std::string file_;
  json content_;
  const json &model_;
  std::vector<std::string> names_;
};

}  // namespace

void write_tokenizer_keys(gguf_writer &to, const fs::path &place, const tokenizer &text, std::int64_t rows) {
  tokenizer_writing(to, place, text, rows).write();
}

}  // namespace slipstream

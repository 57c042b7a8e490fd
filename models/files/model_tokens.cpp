#include "models/files/model_tokens.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/error.hpp"
#include "models/files/gguf/file.hpp"
#include "models/files/json.hpp"
#include "models/files/model_files.hpp"
#include "models/tokenizers/answer_end.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t greatest_id = std::int64_t{1} << 24;

// The ids that a field of a file holds: one, or a list; null and -1 name none. Nothing where the file, or the
// field in it, is absent.
std::optional<std::vector<std::int64_t>> ids_in(const fs::path &folder, const char *file, const char *field) {
  if (!has_model_text(folder, file)) return {};
  const std::string name = model_text_name(folder, file);
  const json content = parse_json(read_model_text(folder, file), name);
  const auto found = content.is_object() ? content.find(field) : content.end();
  if (found == content.end() || found->is_null()) return {};
  std::vector<std::int64_t> ids;
  for (const json &each : found->is_array() ? *found : json::array({*found})) {
    if (!each.is_number_integer() || each < -1 || each > greatest_id)
      throw input_error(name + ": error: " + field + ": must be a token id or a list of them, not " +
                        found->dump());
    if (each >= 0) ids.push_back(each.get<std::int64_t>());
  }
  return ids;
}

// "<eos> (2)", as far as the tokenizer knows the id.
std::string named(std::int64_t id, const tokenizer &text) {
  const auto bytes = text.bytes_of(id, true);
  const auto word =
      bytes.empty() ? std::string() : json(bytes).dump(-1, ' ', true, json::error_handler_t::replace);
  return word.empty() ? std::to_string(id) : word + " (" + std::to_string(id) + ")";
}

std::string named(const std::vector<std::int64_t> &ids, const tokenizer &text) {
  std::string list;
  for (const auto id : ids) list += (list.empty() ? "" : ", ") + named(id, text);
  return list.empty() ? "none" : list;
}

bool has(const std::vector<std::int64_t> &ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// A contradiction between what is trained and where generations stop.
std::string no_answer_end(const chat_template &style, const answer_end &answer,
                          const std::vector<std::int64_t> &stops, const tokenizer &text) {
  const bool beyond = answer.id >= 0;
  return "the chat template " + style.name + " " +
         (beyond
              ? "ends an answer with " + named(answer.id, text) + ", which is beyond the model's vocabulary"
              : answer.problem) +
         ": generations do not stop where answers in dialogues end, but at " + named(stops, text);
}

class choosing {
 public:
  choosing(const model_folders &folders, const tokenizer &text, std::int64_t rows)
      : folders_(folders), text_(text), rows_(rows) {}

  model_tokens choose() {
    const auto config = within("config.json", "eos_token_id");
    const auto generation = within("generation_config.json", "eos_token_id");
    const auto configured = generation ? generation : config;
    result_.stops_from = generation ? "generation_config.json" : config ? name_of_config() : "";
    const auto style = own_template();
    const auto answer = style ? find_answer_end(*style, text_) : answer_end();
    choose_answer_end(style, answer);
    choose_end(config, generation);
    for (const auto id : configured.value_or(std::vector<std::int64_t>()))
      if (!has(result_.stops, id)) result_.stops.push_back(id);
    if (config) tell_difference(*config, "config.json");
    if (generation) tell_difference(*generation, "generation_config.json");
    if (style) tell_answer_end(*style, answer, configured.value_or(std::vector<std::int64_t>()));
    result_.begin = part("bos_token_id", text_.bos(), false);
    result_.pad = part("pad_token_id", text_.pad(), true);
    return std::move(result_);
  }

 private:
  using list = std::optional<std::vector<std::int64_t>>;

  // What stands for config.json: a GGUF file's keys.
  const char *name_of_config() const {
    return is_model_file(folders_.base) ? "tokenizer.ggml" : "config.json";
  }

  // The configuration's ids, without those that the model has no row for.
  list within(const char *file, const char *field) {
    auto ids = ids_in(has_model_text(folders_.own, file) ? folders_.own : folders_.base, file, field);
    if (!ids) return ids;
    for (const auto id : *ids)
      if (id >= rows_)
        result_.notes.push_back(std::string(file) + ": " + field + ": " + std::to_string(id) +
                                " is beyond the model's vocabulary of " + std::to_string(rows_) +
                                " and left out");
    std::erase_if(*ids, [&](std::int64_t id) { return id >= rows_; });
    if (ids->empty()) ids.reset();
    return ids;
  }

  // One that cannot be read is told of where it is used.
  std::optional<chat_template> own_template() {
    try {
      return load_chat(folders_.text);
    } catch (const input_error &problem) {
      result_.notes.push_back(std::string("what ends an answer in a dialogue is not known: ") +
                              problem.what());
      return {};
    }
  }

  void choose_answer_end(const std::optional<chat_template> &style, const answer_end &answer) {
    if (style && answer.id >= 0 && answer.id < rows_) result_.answer_end = {answer.id, style->name};
  }

  void tell_answer_end(const chat_template &style, const answer_end &answer,
                       const std::vector<std::int64_t> &configured) {
    const auto id = result_.answer_end.id;
    if (id >= 0 && (id == result_.end.id || has(configured, id))) return;
    if (id >= 0)
      result_.notes.push_back(style.name + " ends an answer with " + named(id, text_) + ", but " +
                              result_.end.from + " end a text with " + named(result_.end.id, text_) +
                              ": dialogues are trained to end with " + named(id, text_) +
                              ", plain answers with " + named(result_.end.id, text_) +
                              ", and generations stop at " + named(result_.stops, text_));
    else
      result_.notes.push_back(no_answer_end(style, answer, result_.stops, text_));
  }

  void choose_end(const list &config, const list &generation) {
    if (text_.eos() >= rows_)
      throw input_error(
          folders_.own.string() + ": error: the tokenizer's end token " + named(text_.eos(), text_) +
          " is beyond the model's vocabulary of " + std::to_string(rows_) +
          "; name another eos_token in tokenizer_config.json, or enlarge the model's embedding");
    if (text_.eos() >= 0)
      result_.end = {text_.eos(), "the tokenizer's files"};
    else if (config)
      result_.end = {config->front(), "config.json"};
    else if (generation)
      result_.end = {generation->front(), "generation_config.json"};
    else if (result_.answer_end.id >= 0)
      result_.end = result_.answer_end;
    else
      result_.notes.push_back(
          "no file names an end token: answers are trained without an end, and generations end at their "
          "limit; name eos_token in tokenizer_config.json, or eos_token_id in config.json");
    for (const auto id : {result_.end.id, result_.answer_end.id})
      if (id >= 0 && !has(result_.stops, id)) result_.stops.push_back(id);
  }

  void tell_difference(const std::vector<std::int64_t> &ids, const std::string &file) {
    if (has(ids, result_.end.id)) return;
    result_.notes.push_back(file + " says that eos_token_id is " + named(ids, text_) + ", but " +
                            result_.end.from + " end a text with " + named(result_.end.id, text_) +
                            ": answers are trained to end with " + named(result_.end.id, text_) +
                            ", and generations stop at " + named(result_.stops, text_));
  }

  // The begin or padding token: whose word counts first is `configuration_first`.
  chosen_token part(const char *field, std::int64_t tokenizers, bool configuration_first) {
    const auto config = within("config.json", field);
    const chosen_token of_config{config ? config->front() : -1, config ? name_of_config() : ""};
    const bool known = tokenizers >= 0 && tokenizers < rows_;
    const chosen_token of_text{known ? tokenizers : -1, known ? "the tokenizer's files" : ""};
    if (of_config.id < 0 || of_text.id < 0) return of_config.id < 0 ? of_text : of_config;
    const auto &chosen = configuration_first ? of_config : of_text;
    if (of_config.id != of_text.id)
      result_.notes.push_back("config.json says that " + std::string(field) + " is " +
                              named(of_config.id, text_) + ", the tokenizer's files say " +
                              named(of_text.id, text_) + ": " + named(chosen.id, text_) + " is taken");
    return chosen;
  }

  const model_folders &folders_;
  const tokenizer &text_;
  std::int64_t rows_;
  model_tokens result_{};
};

class model_text : public tokenizer {
 public:
  model_text(std::shared_ptr<const tokenizer> text, model_tokens chosen, std::int64_t rows)
      : text_(std::move(text)), chosen_(std::move(chosen)), rows_(rows) {}

  const model_tokens &chosen() const { return chosen_; }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    return within(text_->encode(text));
  }
  std::vector<std::int64_t> encode_with_special(std::string_view text) const override {
    return within(text_->encode_with_special(text));
  }
  std::string decode(const std::vector<std::int64_t> &ids, bool keep_special) const override {
    return text_->decode(ids, keep_special);
  }
  std::string bytes_of(std::int64_t id, bool keep_special) const override {
    return text_->bytes_of(id, keep_special);
  }
  std::int64_t vocab_size() const override { return text_->vocab_size(); }
  std::int64_t eos() const override { return chosen_.end.id; }
  std::int64_t pad() const override { return chosen_.pad.id; }
  std::int64_t bos() const override { return chosen_.begin.id; }
  void save(const fs::path &folder) const override { text_->save(folder); }

 private:
  std::vector<std::int64_t> within(std::vector<std::int64_t> ids) const {
    for (const auto id : ids)
      if (id >= rows_)
        throw input_error("the text has the token " + named(id, *text_) +
                          ", which is beyond the model's vocabulary of " + std::to_string(rows_) +
                          "; leave it out, or use the tokenizer that belongs to the model");
    return ids;
  }

  std::shared_ptr<const tokenizer> text_;
  model_tokens chosen_;
  std::int64_t rows_;
};

}  // namespace

model_tokens choose_tokens(const model_folders &folders, const tokenizer &text, std::int64_t vocab_size) {
  return choosing(folders, text, vocab_size).choose();
}

std::string stop_at_answer_end(const chat_template &style, const tokenizer &text, model_spec &spec) {
  if (!style.program && style.answer_end.empty()) return {};  // the end token ends answers
  const auto answer = find_answer_end(style, text);
  if (answer.id < 0 || answer.id >= spec.vocab_size)
    return no_answer_end(style, answer, spec.eos_tokens, text);
  if (has(spec.eos_tokens, answer.id)) return {};
  const std::string before = named(spec.eos_tokens, text);
  spec.eos_tokens.push_back(answer.id);
  return "the chat template " + style.name + " ends an answer with " + named(answer.id, text) +
         ", which the model's files do not name as an end (" + before +
         "): dialogues are trained to end with it, and generations stop at " + named(spec.eos_tokens, text);
}

std::shared_ptr<const tokenizer> with_tokens(std::shared_ptr<const tokenizer> text, model_tokens chosen,
                                             model_spec &spec) {
  spec.eos_tokens = chosen.stops;
  return std::make_shared<model_text>(std::move(text), std::move(chosen), spec.vocab_size);
}

const model_tokens *tokens_of(const tokenizer &text) {
  const auto *known = dynamic_cast<const model_text *>(&text);
  return known ? &known->chosen() : nullptr;
}

}  // namespace slipstream

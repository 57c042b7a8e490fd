#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/tokenizers/chat.hpp"
#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

// A Jinja template as text; a line's end in it is written as one or as \n in quotes.
class jinja_text {
 public:
  explicit jinja_text(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool escaped = text.substr(i, 2) == "\\n";
      text_ += escaped ? '\n' : text[i];
      i += escaped;
    }
  }
  bool has(std::string_view mark) const { return text_.find(mark) != std::string::npos; }
  template <class... Marks>
  bool has_one(Marks... marks) const {
    return (has(marks) || ...);
  }

  // What is quoted behind `opening` up to `closing`, when it is words and no expression.
  std::optional<std::string> literal(std::string_view opening, std::string_view closing) const {
    for (auto at = text_.find(opening); at != std::string::npos; at = text_.find(opening, at + 1)) {
      const auto from = at + opening.size(), to = text_.find(closing, from);
      if (to == std::string::npos) return {};
      const std::string words = text_.substr(from, to - from);
      if (!words.empty() && words.find_first_of("'\"{}") == std::string::npos) return words;
    }
    return {};
  }

 private:
  std::string text_;
};

// <|im_start|>ROLE\nCONTENT<|im_end|>\n, perhaps with a system message of its own.
std::optional<chat_template> recognise_chatml(const jinja_text &jinja) {
  const bool lines = jinja.has_one("<|im_end|>\n", "<|im_end|>' + '\n'", "<|im_end|>\" + \"\n\"",
                                   "<|im_end|>'+'\n'", "<|im_end|>\"+\"\n\"");
  const bool other = jinja.has_one("<|im_sep|>", "bos_token", "eos_token", "<|im_start|>assistant\n<think>");
  if (!lines || other) return {};
  if (jinja.has("<think>") || jinja.has("</think>")) {
    const bool qwen3 = jinja.has("last_query_index") && jinja.has("reasoning_content") &&
                       !jinja.literal("<|im_start|>system\n", "<|im_end|>");
    return qwen3 ? std::optional(find_chat("qwen3")) : std::nullopt;
  }
  chat_template style = find_chat("chatml");
  style.default_system = jinja.literal("<|im_start|>system\n", "<|im_end|>");
  for (const char *name : {"qwen2", "qwen2.5"})
    if (style.default_system == find_chat(name).default_system) style.name = name;
  style.trim = jinja.has_one("| trim", "|trim");
  return style;
}

// <|start_header_id|>ROLE<|end_header_id|>\n\nCONTENT<|eot_id|>, from 3.1 on with a date.
std::optional<chat_template> recognise_llama(const jinja_text &jinja, const std::string &where) {
  const bool dated = jinja.has("Cutting Knowledge Date");
  if (dated && (jinja.has("strftime_now") || !jinja.has("26 Jul 2024")))
    throw input_error(where +
                      ": error: this chat template of Llama writes the day's date, so no two days agree; "
                      "give chat = \"llama3.1\" (with the date 26 Jul 2024) or chat = \"llama3\" (without) "
                      "in the topology, where the dataset is");
  chat_template style = find_chat(dated ? "llama3.1" : "llama3");
  if (!jinja.has_one("bos_token", "<|begin_of_text|>")) style.start.clear();
  style.trim = jinja.has_one("| trim", "|trim");
  return style;
}

}  // namespace

chat_template recognise_chat(std::string_view text, const std::string &where) {
  const jinja_text jinja(text);
  std::optional<chat_template> found;
  const bool llama = jinja.has("<|start_header_id|>") && jinja.has("<|end_header_id|>\n\n");
  if (llama && jinja.has("<|eot_id|>")) found = recognise_llama(jinja, where);
  if (!llama && jinja.has("<|im_start|>")) found = recognise_chatml(jinja);
  if (found) return *found;
  throw input_error(
      where + ": error: this chat template is none of those that are built in (" + chat_names() +
      "); give its pieces in the topology, where the dataset is: chat = { user = [\"before\", " +
      "\"after\"], assistant = [\"before\", \"after\"], answer_end = \"...\" }");
}

std::optional<chat_template> load_chat(const std::filesystem::path &folder) {
  const auto jinja = folder / "chat_template.jinja", config = folder / "tokenizer_config.json";
  if (std::filesystem::exists(jinja)) return recognise_chat(read_text(jinja), jinja.string());
  if (!std::filesystem::exists(config)) return {};
  const nlohmann::json content = read_json(config);
  const std::string where = config.string() + ": chat_template";
  nlohmann::json found = member(content, "chat_template");
  if (found.is_array()) {  // several with names
    nlohmann::json chosen;
    for (const nlohmann::json &each : found)
      if (member(each, "name") == "default") chosen = member(each, "template");
    found = std::move(chosen);
    if (found.is_null()) throw input_error(where + ": error: there are several, but none is named default");
  }
  if (found.is_null()) return {};
  if (!found.is_string()) throw input_error(where + ": error: must be text");
  return recognise_chat(found.get<std::string>(), where);
}

}  // namespace slipstream

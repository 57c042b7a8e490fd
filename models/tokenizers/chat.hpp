#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// One turn of a dialogue; `role` is system, user or assistant.
struct chat_message {
  std::string role, content;
};

/// What stands before and after the content of a role's messages.
struct chat_role {
  std::string before, after;
};

/// How a model wants a dialogue written: pieces of text, no program.
struct chat_template {
  std::string name;                        ///< for messages
  std::string start;                       ///< before the first message
  std::map<std::string, chat_role> roles;  ///< by the role's name
  std::string
      answer_end;  ///< ends an answer, before its role's `after`; empty: the tokenizer's end token does
  std::string open_answer;                    ///< what the assistant goes on from
  std::optional<std::string> default_system;  ///< a dialogue without a system message gets this one
  std::string system_prefix;                  ///< stands before the first system message's content
  bool trim = false;                          ///< whitespace around contents is left out
  bool thinking = false;  ///< Qwen3: the last answer holds a <think> block, earlier ones lose theirs
};

/// A run of text; `trained` is what the assistant would write itself: contents, `answer_end`.
struct chat_piece {
  std::string text;
  bool trained = false;
};

/// The text of a dialogue as pieces, neighbours of one kind joined, none empty. With `open_answer` the next
/// answer is opened at the end. Throws input_error for a role that the template lacks.
std::vector<chat_piece> render_chat(const chat_template &style, const std::vector<chat_message> &messages,
                                    bool open_answer);

/// A built-in template: chatml, qwen2, qwen2.5, qwen3, llama3, llama3.1, plain. Throws input_error naming
/// these.
chat_template find_chat(std::string_view name);
std::string chat_names();  ///< of the built-in ones, for messages

/// Which built-in one a Jinja template (Hugging Face's chat_template) is, told by its marks. Throws
/// input_error beginning with `where` when it is none of them.
chat_template recognise_chat(std::string_view jinja, const std::string &where);

/// The template of a Hugging Face folder: chat_template.jinja, else tokenizer_config.json's chat_template;
/// nothing when there is none. Throws input_error as recognise_chat does.
std::optional<chat_template> load_chat(const std::filesystem::path &folder);

}  // namespace slipstream

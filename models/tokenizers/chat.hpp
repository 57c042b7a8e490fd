#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// One turn of a dialogue; `role` is system, user or assistant, or what a model's own template knows beside.
struct chat_message {
  std::string role, content;
  /// What else the message holds, as a JSON object (tool_calls, reasoning_content, a content that is a list
  /// of parts or null …); empty: nothing. Read by a model's own template only.
  std::string fields{};
  bool trained = true;  ///< false: an answer that is only read
};

struct chat_program;

/// What stands before and after the content of a role's messages.
struct chat_role {
  std::string before, after;
};

/// How a model wants a dialogue written: pieces of text, or its own template.
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
  std::shared_ptr<const chat_program> program{};  ///< a template in Jinja, which writes all; else null
};

/// A run of text; `trained` is what the assistant would write itself: contents, `answer_end`.
struct chat_piece {
  std::string text;
  bool trained = false;
};

/// The text of a dialogue as pieces, neighbours of one kind joined, none empty. With `open_answer` the next
/// answer is opened at the end. `extras`: a JSON object with the line's tools and documents, or empty. Throws
/// input_error for what the template cannot write: a role, a field of a message, tools.
std::vector<chat_piece> render_chat(const chat_template &style, const std::vector<chat_message> &messages,
                                    bool open_answer, const std::string &extras = "");

/// A built-in template: chatml, qwen2, qwen2.5, qwen3, llama3, llama3.1, plain. Throws input_error naming
/// these.
chat_template find_chat(std::string_view name);
std::string chat_names();  ///< of the built-in ones, for messages

/// The template of a Hugging Face folder: chat_template.jinja and chat_templates/, else
/// tokenizer_config.json's chat_template; of several the one called `name`, or "default", with "tool_use" for
/// dialogues with tools. Nothing when there is none. Throws input_error with file, line and column.
std::optional<chat_template> load_chat(const std::filesystem::path &folder, const std::string &name = "");

/// A template of its own, for a model whose tokens `folder` tells (may be empty).
chat_template load_chat_file(const std::filesystem::path &file, const std::filesystem::path &folder);

/// Whether a template writes the date, and which one it is to write ("2026-11-30 14:05:09").
bool asks_date(const chat_template &style);
void set_date(chat_template &style, const std::string &moment);

}  // namespace slipstream

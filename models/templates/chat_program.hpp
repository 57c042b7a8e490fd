#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/templates/template.hpp"
#include "models/tokenizers/chat.hpp"

namespace slipstream {

/// A model's own chat template, in Jinja.
struct chat_program {
  jinja_template plain;                      ///< the one named default, or the only one
  std::optional<jinja_template> with_tools;  ///< the one named tool_use, for dialogues with tools
  nlohmann::ordered_json tokens;             ///< bos_token and the others, as templates name them
  std::string moment;                        ///< what strftime_now tells: fixed for a run
};

/// The text of a dialogue; `extras` is a JSON object with tools and documents, or empty.
rendered_template render_program(const chat_program &program, const std::vector<chat_message> &messages,
                                 const std::string &extras, bool open_answer);

/// The text as pieces. What the assistant would write is what {% generation %} made, or, without it, what
/// follows the dialogue before an answer with the answer opened. Throws input_error where that cannot be
/// told.
std::vector<chat_piece> program_pieces(const chat_program &program, const std::vector<chat_message> &messages,
                                       const std::string &extras, bool open_answer);

/// Throws input_error for tools, documents, or a field of a message that says something (a call of a tool, a
/// thought), where `reads` says that the template called `by` has no place for it. Names, numbers of calls
/// and fields of somebody's own are left out, as transformers leaves them out.
void require_read(const std::function<bool(const std::string &)> &reads, const std::string &by,
                  const std::vector<chat_message> &messages, const std::string &extras);

}  // namespace slipstream

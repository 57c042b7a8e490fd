#include "models/templates/chat_program.hpp"

#include <array>

#include "models/error.hpp"
#include "models/templates/answers.hpp"

namespace slipstream {
namespace {

using nlohmann::ordered_json;

// Role, content and the rest in this order; what stands in `fields` under a known name takes its place.
ordered_json message_json(const chat_message &message) {
  ordered_json made{{"role", message.role}, {"content", message.content}};
  if (!message.fields.empty()) made.update(ordered_json::parse(message.fields));
  return made;
}

const jinja_template &chosen(const chat_program &program, const ordered_json &extras) {
  const auto tools = extras.find("tools");
  const bool given = tools != extras.end() && !tools->is_null();
  return given && program.with_tools ? *program.with_tools : program.plain;
}

ordered_json parsed(const std::string &extras) {
  return extras.empty() ? ordered_json::object() : ordered_json::parse(extras);
}

}  // namespace

rendered_template render_program(const chat_program &program, const std::vector<chat_message> &messages,
                                 const std::string &extras, bool open_answer) {
  const ordered_json more = parsed(extras);
  ordered_json inputs = program.tokens;
  inputs["messages"] = ordered_json::array();
  for (const chat_message &message : messages) inputs["messages"].push_back(message_json(message));
  inputs["tools"] = nullptr;
  inputs["documents"] = nullptr;
  inputs["add_generation_prompt"] = open_answer;
  inputs.update(more);
  return chosen(program, more).render(inputs, program.moment);
}

void require_read(const std::function<bool(const std::string &)> &reads, const std::string &by,
                  const std::vector<chat_message> &messages, const std::string &extras) {
  const auto refuse = [&](const std::string &field) {
    throw input_error(field + " has no place in the chat template " + by +
                      ", so it would be left out; remove it, or give a template that writes it: chat = " +
                      "\"FILE.jinja\"");
  };
  const auto empty = [](const ordered_json &content) {
    return content.is_null() || ((content.is_structured() || content.is_string()) && content.empty());
  };
  constexpr std::array meaningful{"tool_calls", "function_call", "reasoning_content", "reasoning",
                                  "thinking"};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].fields.empty()) continue;
    const ordered_json fields = ordered_json::parse(messages[i].fields);
    for (const std::string field : meaningful)
      if (fields.contains(field) && !empty(fields[field]) && !reads(field))
        refuse("\"" + field + "\" of message " + std::to_string(i + 1));
    if (fields.contains("content") && fields["content"].is_array() && !reads("content"))
      refuse("\"content\" as a list of parts, of message " + std::to_string(i + 1) + ",");
  }
  const ordered_json more = parsed(extras);
  for (const auto &[name, content] : more.items())
    if (!empty(content) && !reads(name)) refuse("\"" + name + "\"");
}

std::vector<chat_piece> program_pieces(const chat_program &program, const std::vector<chat_message> &messages,
                                       const std::string &extras, bool open_answer) {
  const ordered_json inputs = parsed(extras);
  const jinja_template &by = chosen(program, inputs);
  require_read([&](const std::string &name) { return by.reads(name); }, by.where(), messages, extras);
  const rendered_template whole = render_program(program, messages, extras, open_answer);
  if (open_answer) return pieces_of(whole.text, {});
  std::size_t answers = 0;
  bool all_trained = true;
  for (const chat_message &message : messages) {
    answers += message.role == "assistant";
    all_trained &= message.trained;
  }
  const bool marked = !whole.generated.empty() && whole.spans_known;
  if (marked && all_trained) return pieces_of(whole.text, whole.generated);
  if (marked && whole.generated.size() == answers)
    return pieces_of(whole.text, trained_ones(messages, whole.generated));
  const renderer_of_parts part = [&](std::size_t count, bool opened) {
    const std::vector<chat_message> first(messages.begin(),
                                          messages.begin() + static_cast<std::ptrdiff_t>(count));
    return render_program(program, first, extras, opened).text;
  };
  return pieces_of(whole.text, find_answers(whole.text, messages, part, by.where()));
}

}  // namespace slipstream

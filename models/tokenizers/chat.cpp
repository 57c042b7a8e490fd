#include "models/tokenizers/chat.hpp"

#include <array>

#include "models/error.hpp"
#include "models/templates/chat_program.hpp"

namespace slipstream {
namespace {

// Python's str.strip(), which Jinja's trim is: every Unicode whitespace character and four separators.
constexpr std::array<std::string_view, 29> unicode_spaces{
    " ",      "\t",           "\n",           "\v",           "\f",           "\r",
    "\x1c",   "\x1d",         "\x1e",         "\x1f",         "\xc2\x85",     "\xc2\xa0",
    "\u1680", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
    "\u2005", "\u2006",       "\u2007",       "\u2008",       "\u2009",       "\u200a",
    "\u2028", "\u2029",       "\u202f",       "\u205f",       "\u3000"};

std::string_view trimmed(std::string_view text) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view space : unicode_spaces) {
      if (text.starts_with(space)) text.remove_prefix(space.size()), again = true;
      if (text.ends_with(space)) text.remove_suffix(space.size()), again = true;
    }
  }
  return text;
}

std::string_view without_newlines(std::string_view text, bool front, bool back) {
  while (front && text.starts_with('\n')) text.remove_prefix(1);
  while (back && text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

// Qwen3: what stands before </think> is the thought; the answer follows.
std::string thoughtful(std::string_view content, bool after_last_question, bool last) {
  constexpr std::string_view open = "<think>", close = "</think>";
  std::string_view thought, answer = content;
  if (const auto first = content.find(close); first != std::string_view::npos) {
    thought = without_newlines(content.substr(0, first), false, true);
    if (const auto opened = thought.rfind(open); opened != std::string_view::npos)
      thought.remove_prefix(opened + open.size());
    thought = without_newlines(thought, true, true);
    answer = without_newlines(content.substr(content.rfind(close) + close.size()), true, false);
  }
  if (!after_last_question || (!last && thought.empty())) return std::string(answer);
  return "<think>\n" + std::string(thought) + "\n</think>\n\n" +
         std::string(without_newlines(answer, true, false));
}

void add(std::vector<chat_piece> &pieces, std::string_view text, bool trained) {
  if (text.empty()) return;
  if (pieces.empty() || pieces.back().trained != trained) pieces.push_back({"", trained});
  pieces.back().text += text;
}

const chat_role &role_of(const chat_template &style, const std::string &role) {
  const auto found = style.roles.find(role);
  if (found != style.roles.end()) return found->second;
  std::string known;
  for (const auto &[name, pieces] : style.roles) known += (known.empty() ? "" : ", ") + name;
  throw input_error("the chat template \"" + style.name + "\" has no role \"" + role + "\"; it has " + known);
}

std::vector<chat_message> with_system(const chat_template &style, std::vector<chat_message> messages) {
  const bool has = !messages.empty() && messages.front().role == "system";
  if (!has && style.default_system) messages.insert(messages.begin(), {"system", *style.default_system});
  return messages;
}

}  // namespace

std::vector<chat_piece> render_chat(const chat_template &style, const std::vector<chat_message> &given,
                                    bool open_answer, const std::string &extras) {
  if (style.program) return program_pieces(*style.program, given, extras, open_answer);
  require_read([](const std::string &) { return false; }, "\"" + style.name + "\"", given, extras);
  const std::vector<chat_message> messages = with_system(style, given);
  std::size_t last_question = messages.size();  // as Qwen3's template counts: nothing comes after it
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].role == "user") last_question = i;
  std::vector<chat_piece> pieces;
  add(pieces, style.start, false);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const chat_message &message = messages[i];
    const chat_role &role = role_of(style, message.role);
    const bool answer = message.role == "assistant";
    std::string content(style.trim ? trimmed(message.content) : std::string_view(message.content));
    if (i == 0 && message.role == "system") content.insert(0, style.system_prefix);
    if (answer && style.thinking) content = thoughtful(content, i > last_question, i + 1 == messages.size());
    add(pieces, role.before, false);
    add(pieces, content, answer && message.trained);
    if (answer) add(pieces, style.answer_end, message.trained);
    add(pieces, role.after, false);
  }
  if (open_answer) add(pieces, style.open_answer, false);
  return pieces;
}

}  // namespace slipstream

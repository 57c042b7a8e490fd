#include "models/tokenizers/answer_end.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "models/error.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream {
namespace {

constexpr const char *probed_words = "Ok";

// What is trained behind the words of a small dialogue's answer; nothing where the template writes no such
// dialogue. Some want a system message first, some take none.
std::optional<std::string> written_end(const chat_template &style, std::string &problem) {
  const std::vector<chat_message> ask{{"user", "Hi"}, {"assistant", probed_words}};
  std::vector<chat_message> with_system = ask;
  with_system.insert(with_system.begin(), {"system", "Hm"});
  for (const auto &messages : {ask, with_system}) try {
      const auto pieces = render_chat(style, messages, false);
      for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
        const auto words = piece->trained ? piece->text.rfind(probed_words) : std::string::npos;
        if (words != std::string::npos) return piece->text.substr(words + std::string(probed_words).size());
      }
      problem = "does not write the words of an answer as they are";
    } catch (const input_error &refused) {
      problem = std::string("writes no dialogue of a question and an answer (") + refused.what() + ")";
    }
  return {};
}

// A token that no ordinary text holds: one that decoding leaves out, or one in brackets.
bool is_mark(std::int64_t id, const tokenizer &text) {
  const std::string written = text.bytes_of(id, true);
  if (written.empty()) return false;
  const bool bracketed = (written.starts_with('<') && written.ends_with('>')) ||
                         (written.starts_with('[') && written.ends_with(']'));
  return text.bytes_of(id, false).empty() || (written.size() > 2 && bracketed) || id == text.eos();
}

}  // namespace

answer_end find_answer_end(const chat_template &given, const tokenizer &text) {
  if (!given.program && given.answer_end.empty()) return {text.eos()};
  chat_template style = given;
  if (asks_date(style)) set_date(style, "2026-01-01 00:00:00");
  answer_end found;
  const auto end = written_end(style, found.problem);
  if (!end) return found;
  const std::string_view mark = jinja::strip(*end);
  if (mark.empty())
    return {-1,
            end->empty() ? "writes nothing behind an answer" : "writes only white space behind an answer"};
  try {
    for (const std::int64_t id : text.encode(*end))
      if (is_mark(id, text)) return {id};
  } catch (const input_error &) {  // the tokenizer cannot write it
  }
  const auto shown =
      nlohmann::json(std::string(mark)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return {-1, "ends an answer with " + shown + ", which is no token of its own"};
}

}  // namespace slipstream

#include "runtime/data/message_reader.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace slipstream {
namespace {

using nlohmann::ordered_json;

/// Who speaks, as ShareGPT's data and those like them name it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> speakers{
    {{"human", "user"},
     {"user", "user"},
     {"gpt", "assistant"},
     {"chatgpt", "assistant"},
     {"assistant", "assistant"},
     {"system", "system"},
     {"tool", "tool"},
     {"observation", "tool"},
     {"function_response", "tool"}}};

/// Whether a message is trained on, as OpenAI, Axolotl and ms-swift write it.
constexpr std::array training_keys{"weight", "train", "training", "loss"};

/// Keys that say it by parts or by degrees, which a mask of whole answers cannot obey.
constexpr std::array unlearnable{"train_detail", "training_detail", "loss_mask", "loss_weight", "loss_scale"};

std::string needs_both(const std::string &where) {
  return where + " needs \"role\" and \"content\", both strings (or \"from\" and \"value\")";
}

// A null means the same as an absent field, because tables fill the fields of all messages with nulls.
ordered_json without_nulls(const ordered_json &message) {
  ordered_json kept = ordered_json::object();
  for (const auto &[name, value] : message.items())
    if (!value.is_null() || name == "content") kept[name] = value;
  return kept;
}

}  // namespace

chat_message message_reader::read(const ordered_json &given, std::size_t index) const {
  const auto where = fmt::format("message {} of {}", index + 1, field);
  if (!given.is_object()) fail(needs_both(where));
  ordered_json rest = without_nulls(given);
  if (rest.contains("from") || rest.contains("value")) rename_sharegpt(rest, where);
  const auto role = rest.find("role");
  if (role == rest.end() || !role->is_string()) fail(needs_both(where));
  chat_message made{role->get<std::string>(), ""};
  read_training(rest, made, where);
  rest.erase("role");
  read_content(rest, made, where);
  if (!rest.empty()) made.fields = rest.dump();
  return made;
}

// {"from": "human", "value": "…"}
void message_reader::rename_sharegpt(ordered_json &message, const std::string &where) const {
  if (message.contains("role") || message.contains("content"))
    fail(where + " has both \"role\" or \"content\" and \"from\" or \"value\"; keep one way of the two");
  const auto from = message.find("from");
  if (from == message.end() || !from->is_string() || !message.contains("value")) fail(needs_both(where));
  std::string known;
  for (const auto &[theirs, ours] : speakers) {
    known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", theirs);
    if (*from != theirs) continue;
    ordered_json renamed{{"role", ours}};
    for (const auto &[name, value] : message.items())
      if (name != "from") renamed[name == "value" ? "content" : name] = value;
    message = std::move(renamed);
    return;
  }
  fail(fmt::format(
      "{}: \"from\" is {}, which no role answers to; it may be {} (a call of a tool is written as "
      "\"tool_calls\" of an assistant's message)",
      where, from->dump(), known));
}

// A content that is no text (a list of parts, or null beside a call of a tool) is kept among the other
// fields, and the texts in it become the content.
void message_reader::read_content(ordered_json &rest, chat_message &made, const std::string &where) const {
  const auto content = rest.find("content");
  if (content != rest.end() && content->is_string()) {
    made.content = content->get<std::string>();
    rest.erase("content");
  } else if (content != rest.end() && content->is_array()) {
    made.content = parts_text(*content, where);
  } else if (rest.contains("tool_calls") && (content == rest.end() || content->is_null())) {
    rest["content"] = nullptr;
  } else {
    fail(needs_both(where));
  }
}

std::string message_reader::parts_text(const ordered_json &parts, const std::string &where) const {
  std::string text;
  if (parts.empty()) fail(where + ": \"content\" is an empty list; write a text, or parts that hold texts");
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto &part = parts[i];
    const auto words = part.is_object() ? part.find("text") : part.end();
    const bool named = part.is_object() && part.contains("type") && part["type"].is_string();
    if (!part.is_object() || words == part.end() || !words->is_string() || (named && part["type"] != "text"))
      fail(fmt::format(
          "{}: part {} of its \"content\" is {}; only texts are read, as in {{\"type\": \"text\", "
          "\"text\": \"…\"}}",
          where, i + 1, named ? part["type"].dump() : "none that is known"));
    text += words->get<std::string>();
  }
  return text;
}

// An answer is trained on as a whole or not at all, and nothing but answers ever is.
void message_reader::read_training(ordered_json &rest, chat_message &made, const std::string &where) const {
  for (const char *key : unlearnable)
    if (rest.contains(key))
      fail(fmt::format(
          "{}: \"{}\" is not obeyed; an answer is trained on whole or, with \"train\": false, not at "
          "all",
          where, key));
  std::optional<bool> wanted;
  for (const char *key : training_keys) {
    const auto found = rest.find(key);
    if (found == rest.end()) continue;
    const bool number = found->is_number() && (*found == 0 || *found == 1);
    if (!number && !found->is_boolean())
      fail(fmt::format("{}: \"{}\" must be true, false, 1 or 0, not {}", where, key, described(*found)));
    const bool train = number ? *found == 1 : found->get<bool>();
    if (wanted && *wanted != train)
      fail(fmt::format("{}: \"{}\" contradicts another of its fields; keep one of them", where, key));
    wanted = train;
    rest.erase(key);
  }
  if (wanted == true && made.role != "assistant")
    fail(
        fmt::format("{} is to be trained on and is the {}'s, but only the assistant's messages are; remove "
                    "\"train\" or \"weight\"",
                    where, made.role));
  made.trained = wanted.value_or(true);
}

}  // namespace slipstream

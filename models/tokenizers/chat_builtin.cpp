#include <array>

#include "models/error.hpp"
#include "models/tokenizers/chat.hpp"

namespace slipstream {
namespace {

chat_template chatml(const char *name) {
  chat_template style;
  style.name = name;
  for (const char *role : {"system", "user", "assistant"})
    style.roles[role] = {"<|im_start|>" + std::string(role) + "\n", "<|im_end|>\n"};
  style.roles["assistant"].after = "\n";
  style.answer_end = "<|im_end|>";
  style.open_answer = "<|im_start|>assistant\n";
  return style;
}

chat_template plain_chatml() {
  return chatml("chatml");
}

chat_template qwen2_5() {
  chat_template style = chatml("qwen2.5");
  style.default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
  return style;
}

chat_template qwen2() {
  chat_template style = chatml("qwen2");
  style.default_system = "You are a helpful assistant.";
  return style;
}

chat_template qwen3() {
  chat_template style = chatml("qwen3");
  style.thinking = true;
  return style;
}

chat_template llama3() {
  chat_template style;
  style.name = "llama3";
  style.start = "<|begin_of_text|>";
  for (const char *role : {"system", "user", "assistant"})
    style.roles[role] = {"<|start_header_id|>" + std::string(role) + "<|end_header_id|>\n\n", "<|eot_id|>"};
  style.roles["assistant"].after = "";
  style.answer_end = "<|eot_id|>";
  style.open_answer = style.roles["assistant"].before;
  style.trim = true;
  return style;
}

// Without a date of the caller's, Llama 3.1's template writes this very day.
chat_template llama3_1() {
  chat_template style = llama3();
  style.name = "llama3.1";
  style.default_system = "";
  style.system_prefix = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n";
  return style;
}

chat_template plain() {
  chat_template style;
  style.name = "plain";
  style.roles = {{"system", {"", "\n\n"}}, {"user", {"", "\n"}}, {"assistant", {"", ""}}};
  return style;
}

struct row {
  const char *name;
  chat_template (*make)();
};
constexpr std::array builtin{row{"chatml", plain_chatml}, row{"qwen2", qwen2},   row{"qwen2.5", qwen2_5},
                             row{"qwen3", qwen3},         row{"llama3", llama3}, row{"llama3.1", llama3_1},
                             row{"plain", plain}};

}  // namespace

std::string chat_names() {
  std::string list;
  for (const row &each : builtin) list += (list.empty() ? "" : ", ") + std::string(each.name);
  return list;
}

chat_template find_chat(std::string_view name) {
  for (const row &each : builtin)
    if (name == each.name) return each.make();
  throw input_error("there is no chat template \"" + std::string(name) + "\"; there are " + chat_names());
}

}  // namespace slipstream

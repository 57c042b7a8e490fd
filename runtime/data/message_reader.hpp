#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "models/tokenizers/chat.hpp"

namespace slipstream {

/// "3.5", "true", "an array" … for messages.
std::string described(const nlohmann::ordered_json &value);

/// Reads the messages of a dialogue. Other fields of a message are kept beside its content, for the chat
/// template. Fields that nobody can obey are refused.
struct message_reader {
  std::function<void(const std::string &)> fail;  ///< throws, and names file and line
  std::string field;                              ///< that holds the messages, in quotes

  chat_message read(const nlohmann::ordered_json &given, std::size_t index) const;

 private:
  using json = nlohmann::ordered_json;

  void rename_sharegpt(json &message, const std::string &where) const;
  void read_content(json &rest, chat_message &made, const std::string &where) const;
  std::string parts_text(const json &parts, const std::string &where) const;
  void read_training(json &rest, chat_message &made, const std::string &where) const;
};

}  // namespace slipstream

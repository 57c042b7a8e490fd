#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/network/spec.hpp"
#include "models/tokenizers/chat.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// A token with a part to play, and the file that gave it the part; -1 where no file does.
struct chosen_token {
  std::int64_t id = -1;
  std::string from{};
};

/// What a model folder's files say of the tokens that end, begin and pad texts, decided once for all that
/// train, sample and score.
struct model_tokens {
  chosen_token end;           ///< closes an answer in training: the tokenizer's, else config.json's
  chosen_token answer_end{};  ///< what the folder's chat template ends an answer with; -1 without a template
  std::vector<std::int64_t>
      stops{};  ///< a generation ends at any: `end` first, then `answer_end`, then the configuration's
  std::string stops_from{};
  chosen_token begin, pad;
  std::vector<std::string> notes{};  ///< where files contradict each other, or nobody names an end
};

/// Where a model's files are, which for adapters may be several folders.
struct model_folders {
  std::filesystem::path own;   ///< the model's, or the adapters'
  std::filesystem::path base;  ///< of the weights: what adapters stand on
  std::filesystem::path text;  ///< of the tokenizer and the chat template

  explicit model_folders(const std::filesystem::path &all) : own(all), base(all), text(all) {}
};

/// Reads the token ids of config.json and generation_config.json (of adapters: the base's where they have
/// none of their own) beside those that `text` names, and writes a small dialogue by the chat template to see
/// what ends an answer. Throws input_error for a field that holds no id, or an end token that the model has
/// no row for.
model_tokens choose_tokens(const model_folders &folders, const tokenizer &text, std::int64_t vocab_size);

/// A topology's chat template for a model: adds what it ends answers with to the tokens that generations stop
/// at. Returns a sentence about what the model's files do not say, or nothing.
std::string stop_at_answer_end(const chat_template &style, const tokenizer &text, model_spec &spec);

/// The tokenizer as this model wants it: with the chosen tokens, and refusing (input_error) a text of which a
/// token is beyond the model's vocabulary. The spec gets the tokens that generations stop at.
std::shared_ptr<const tokenizer> with_tokens(std::shared_ptr<const tokenizer> text, model_tokens chosen,
                                             model_spec &spec);

/// The choice behind a tokenizer of with_tokens(); null for another one.
const model_tokens *tokens_of(const tokenizer &text);

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/network/spec.hpp"
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
  chosen_token end;  ///< closes an answer in training: the tokenizer's, else config.json's
  std::vector<std::int64_t>
      stops{};  ///< a generation ends at any: `end` first, then those of the configuration
  std::string stops_from{};
  chosen_token begin, pad;
  std::vector<std::string> notes{};  ///< where files contradict each other, or nobody names an end
};

/// Reads the token ids of config.json and generation_config.json in `folder` beside those that `text` names.
/// Throws input_error for a field that holds no id, or an end token that the model has no row for.
model_tokens choose_tokens(const std::filesystem::path &folder, const tokenizer &text,
                           std::int64_t vocab_size);

/// The tokenizer as this model wants it: with the chosen tokens, and refusing (input_error) a text of which a
/// token is beyond the model's vocabulary. The spec gets the tokens that generations stop at.
std::shared_ptr<const tokenizer> with_tokens(std::shared_ptr<const tokenizer> text, model_tokens chosen,
                                             model_spec &spec);

/// The choice behind a tokenizer of with_tokens(); null for another one.
const model_tokens *tokens_of(const tokenizer &text);

}  // namespace slipstream

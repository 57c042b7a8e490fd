#include "models/tokenizers/word_counts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/tokenizers/normal_forms.hpp"
#include "models/tokenizers/special_tokens.hpp"
#include "models/tokenizers/utf8.hpp"

namespace slipstream {

word_counts::word_counts(const bpe_style &style)
    : cut_(nlohmann::json::parse(pre_tokenizer_json(style)), "style " + style.name), nfc_(style.nfc) {
  for (const added_token &token : padding_and_ends().added) special_.add(token.content, token);
}

void word_counts::add(std::string_view text) {
  require_utf8(text);
  std::deque<std::string> kept;
  const auto count = [&](std::string_view word) { ++words_[std::string(word)]; };
  const auto words = [&](std::string_view part) {
    cut_.split(nfc_ ? kept.emplace_back(normalised(part, normal_form::nfc)) : part, kept, count);
  };
  special_.split(text, words, [](std::int64_t) {});
}

std::size_t part_of_text(std::string_view text, std::size_t bytes) {
  const auto visible = [&](std::size_t at) { return text[at] > ' ' && text[at] < '\x7f'; };
  for (std::size_t at = std::max<std::size_t>(bytes, 1); at + 1 < text.size(); ++at)
    if (text[at] == '\n' && visible(at - 1) && visible(at + 1)) return at + 1;
  return text.size();
}

}  // namespace slipstream

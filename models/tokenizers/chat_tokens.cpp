#include "models/tokenizers/chat_tokens.hpp"

#include "models/error.hpp"

namespace slipstream {
namespace {

// Where the tokens of a text stand in what they decode to, byte by byte.
struct token_places {
  explicit token_places(const std::vector<std::int64_t> &ids, const tokenizer &text) {
    for (const std::int64_t id : ids) {
      starts.push_back(bytes.size());
      bytes += text.bytes_of(id, true);
    }
    starts.push_back(bytes.size());
  }
  std::string bytes;
  std::vector<std::size_t> starts;  // one a token, and the end
};

class border_finder {
 public:
  border_finder(const std::string &whole, const token_places &places, const tokenizer &text)
      : whole_(whole), places_(places), text_(text), same_(places.bytes == whole) {}

  // Where a place of the text stands in what the tokens decode to. These are the same bytes, unless the
  // tokenizer normalises the text, or adds or takes spaces.
  std::size_t decoded(std::size_t at) const {
    if (same_) return at;
    const std::string before = token_places(text_.encode(whole_.substr(0, at)), text_).bytes;
    if (places_.bytes.starts_with(before)) return before.size();
    throw input_error("which tokens are the assistant's cannot be told: the tokenizer writes the first " +
                      std::to_string(at) +
                      " bytes of the dialogue otherwise because of what follows them; let the chat template "
                      "put a special token or the end of a line there");
  }

 private:
  const std::string &whole_;
  const token_places &places_;
  const tokenizer &text_;
  bool same_;
};

}  // namespace

chat_tokens encode_joined(const std::vector<chat_piece> &pieces, const tokenizer &text) {
  std::string whole;
  for (const chat_piece &piece : pieces) whole += piece.text;
  chat_tokens made{text.encode(whole), {}};
  made.trained.assign(made.ids.size(), 0);
  const token_places places(made.ids, text);
  const border_finder border(whole, places, text);
  std::size_t at = 0, token = 0;
  for (const chat_piece &piece : pieces) {
    const std::size_t start = at;
    at += piece.text.size();
    if (!piece.trained) continue;
    const std::size_t from = border.decoded(start),
                      to = at == whole.size() ? places.bytes.size() : border.decoded(at);
    while (token < made.ids.size() && places.starts[token + 1] <= from) ++token;
    for (; token < made.ids.size() && places.starts[token] < to; ++token) made.trained[token] = 1;
  }
  return made;
}

}  // namespace slipstream

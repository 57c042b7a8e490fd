#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace slipstream {

/// One of tokenizer.json's added_tokens, or of those that tokenizer_config.json names beside them.
struct added_token {
  std::string content;
  std::int64_t id = 0;
  bool special = false;                 ///< left out by decode
  bool normalized = false;              ///< looked for after normalisation, as normalised text
  bool lstrip = false, rstrip = false;  ///< takes the whitespace before or after it in
};

/// Finds added tokens in text: the leftmost, of those that begin there the longest.
class token_finder {
 public:
  void add(const std::string &pattern, const added_token &token);
  bool empty() const { return tokens_.empty(); }

  /// Calls `between` and `token` for the parts of the text, in order; no part is empty.
  void split(std::string_view text, const std::function<void(std::string_view)> &between,
             const std::function<void(std::int64_t)> &token) const;

 private:
  struct match {
    std::size_t length = 0;  ///< 0: there is none
    std::size_t token = 0;
  };
  match longest(std::string_view text) const;

  std::vector<added_token> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t> steps_;  // a trie: (node, byte) to node
  std::unordered_map<std::uint32_t, std::size_t> ends_;     // node to token
  std::uint32_t nodes_ = 1;
  bool starts_[256] = {};  // bytes that a token begins with
};

}  // namespace slipstream

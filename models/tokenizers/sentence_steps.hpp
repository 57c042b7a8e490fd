#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizers/normal_forms.hpp"

namespace slipstream {

/// What tokenizers that came from SentencePiece (Llama 2, TinyLlama, early Mistral, Gemma) do to a text
/// before and after its pieces are merged: a space becomes a mark, and may be put before the text.
struct sentence_steps {
  /// One step of the normaliser: a prefix for what is not empty, a text replaced by another one, or a form.
  struct change {
    enum class kind { prepend, replace, form };
    kind what = kind::prepend;
    std::string from, to;  ///< prepend: `to`
    normal_form form = normal_form::nfc;
  };
  enum class prefix { never, first, always };  ///< of Metaspace; first: only where the whole text begins

  std::vector<change> changes;
  std::string mark;  ///< Metaspace's, in place of spaces; empty: no such pre-tokenizer
  prefix prepend = prefix::never;
  bool at_marks = false;           ///< words begin at marks
  bool behind_spaces = false;      ///< Gemma: words end behind spaces (which the normaliser has replaced)
  bool decodes_bytes = false;      ///< tokens as <0x0A> are decoded to their byte
  std::vector<change> decoding;    ///< replacements within each token
  bool drops_first_marks = false;  ///< the first token loses its marks when it is decoded
  std::int64_t strip = 0;          ///< spaces that a decoded text loses at its start, at most

  /// The text behind the normaliser.
  std::string normal(std::string_view text) const;
  /// The words of a normalised part; `at_start`: the whole text begins with it.
  std::vector<std::string> words(std::string_view part, bool at_start) const;
};

/// Reads normalizer, pre_tokenizer and decoder of a tokenizer.json. Throws input_error naming `file` and
/// field for what is not supported.
sentence_steps read_sentence_steps(const nlohmann::json &content, const std::string &file);

/// `text` with every `from` replaced.
std::string replaced(std::string_view text, std::string_view from, std::string_view to);

}  // namespace slipstream

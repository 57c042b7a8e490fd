#include "models/tokenizers/pre_tokenizer.hpp"

#include "models/error.hpp"
#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// What ByteLevel splits with when use_regex is set (GPT-2's pattern).
constexpr const char *gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

pre_tokenizer::pre_tokenizer(const json &content, const std::string &file) {
  read(content, "pre_tokenizer", file);
  if (!byte_level_)
    refuse_field(file, "pre_tokenizer", "a BPE model is supported with a ByteLevel pre-tokenizer only");
}

void pre_tokenizer::read(const json &content, const std::string &field, const std::string &file) {
  const std::string type = type_of(content, field, file);
  if (byte_level_) refuse_field(file, field, "nothing is supported after ByteLevel");
  if (type == "Sequence") {
    const json &parts = array_of(content, "pretokenizers", field, file);
    for (std::size_t i = 0; i < parts.size(); ++i)
      read(parts[i], field + ".pretokenizers[" + std::to_string(i) + "]", file);
  } else if (type == "ByteLevel") {
    step made;
    made.space_in_front = flag_of(content, "add_prefix_space", true, field, file);
    if (flag_of(content, "use_regex", true, field, file))
      made.pattern.emplace_back(gpt2_pattern, split_pattern::kind::regex, file + ": error: " + field);
    steps_.push_back(std::move(made));
    byte_level_ = true;
  } else if (type == "Digits") {
    const bool single = flag_of(content, "individual_digits", false, field, file);
    steps_.emplace_back().pattern.emplace_back(single ? "\\p{N}" : "\\p{N}+", split_pattern::kind::regex,
                                               file + ": error: " + field);
  } else if (type == "Split") {
    read_split(content, field, file);
  } else {
    refuse_field(file, field + ".type",
                 shown(type) + " is not supported; supported are: ByteLevel, Digits, Sequence, Split");
  }
}

void pre_tokenizer::read_split(const json &content, const std::string &field, const std::string &file) {
  const json &pattern = member(content, "pattern"), &regex = member(pattern, "Regex"),
             &literal = member(pattern, "String"), &behavior = member(content, "behavior");
  if (regex.is_string() == literal.is_string())
    refuse_field(file, field + ".pattern", "must be a table with one text, \"Regex\" or \"String\"");
  step made;
  const auto kind = regex.is_string() ? split_pattern::kind::regex : split_pattern::kind::literal;
  made.pattern.emplace_back((regex.is_string() ? regex : literal).get<std::string>(), kind,
                            file + ": error: " + field + ".pattern");
  if (behavior == "Removed")
    (flag_of(content, "invert", false, field, file) ? made.keep_rest : made.keep_matches) = false;
  else if (behavior != "Isolated")
    refuse_field(file, field + ".behavior",
                 shown(behavior) + " is not supported; supported are: Isolated, Removed");
  steps_.push_back(std::move(made));
}

void pre_tokenizer::split(std::string_view text, std::deque<std::string> &kept,
                          const std::function<void(std::string_view)> &word) const {
  run(0, text, kept, word);
}

void pre_tokenizer::run(std::size_t from, std::string_view text, std::deque<std::string> &kept,
                        const std::function<void(std::string_view)> &word) const {
  if (text.empty()) return;
  if (from == steps_.size()) return word(text);
  const step &now = steps_[from];
  if (now.space_in_front && text.front() != ' ') text = kept.emplace_back(" " + std::string(text));
  if (now.pattern.empty()) return run(from + 1, text, kept, word);
  std::vector<text_span> matches;
  now.pattern.front().find_all(text, matches);
  std::size_t at = 0;
  for (const text_span &match : matches) {
    if (now.keep_rest) run(from + 1, text.substr(at, match.from - at), kept, word);
    if (now.keep_matches) run(from + 1, text.substr(match.from, match.to - match.from), kept, word);
    at = match.to;
  }
  if (now.keep_rest) run(from + 1, text.substr(at), kept, word);
}

}  // namespace slipstream

#include "runtime/scoring/text_rules.hpp"

#include <algorithm>
#include <set>

#include "models/error.hpp"

namespace slipstream {
namespace {

bool is_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char byte : text) {
    if (is_space(byte)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    words.back() += byte;
  }
  return words;
}

// Bytes that begin a character of UTF-8.
bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
}

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> characters;
  for (const char byte : text) {
    if (begins_character(byte) || characters.empty()) characters.emplace_back();
    characters.back() += byte;
  }
  return characters;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char &byte : result)
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
  return result;
}

template <class Part>
double repeated(const std::vector<Part> &parts, std::int64_t n) {
  const auto count = static_cast<std::int64_t>(parts.size()) - n + 1;
  if (count <= 0) return 0;
  std::set<std::vector<Part>> distinct;
  for (auto at = parts.begin(); at + n <= parts.end(); ++at) distinct.emplace(at, at + n);
  return static_cast<double>(distinct.size()) / static_cast<double>(count) - 1;
}

}  // namespace

std::int64_t text_length(const rollout_group &group, std::size_t i, text_unit unit) {
  if (unit == text_unit::tokens) return static_cast<std::int64_t>(group.rollouts[i].tokens.size());
  const std::string &text = group.texts[i];
  if (unit == text_unit::words) return static_cast<std::int64_t>(words_of(text).size());
  return std::count_if(text.begin(), text.end(), begins_character);
}

double length_score(std::int64_t length, std::int64_t limit, double least) {
  return std::max(least, 1 - static_cast<double>(length) / static_cast<double>(limit));
}

double contains_rule::operator()(std::string_view answer) const {
  const std::string text = ignore_case ? lower(answer) : std::string(answer);
  const auto holds = [&](const std::string &part) {
    return text.find(ignore_case ? lower(part) : part) != std::string::npos;
  };
  if (std::any_of(unwanted.begin(), unwanted.end(), holds)) return 0;
  if (wanted.empty()) return 1;
  const auto found = std::count_if(wanted.begin(), wanted.end(), holds);
  if (any) return found > 0 ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

double repetition_score(const rollout_group &group, std::size_t i, std::int64_t n, text_unit unit) {
  if (unit == text_unit::tokens) return repeated(group.rollouts[i].tokens, n);
  const std::string &text = group.texts[i];
  return unit == text_unit::words ? repeated(words_of(text), n) : repeated(characters_of(text), n);
}

}  // namespace slipstream

#include "models/tokenizers/added_tokens.hpp"

#include <algorithm>

namespace slipstream {
namespace {

// Unicode's White_Space.
constexpr std::string_view spaces[] = {
    " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\xc2\x85", "\xc2\xa0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",   "\u2007",   "\u2008",
    "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

std::size_t space_at_end(std::string_view text) {
  std::size_t left = text.size();
  const auto ends = [&](std::string_view space) { return text.substr(0, left).ends_with(space); };
  for (const auto *found = std::begin(spaces); found != std::end(spaces);) {
    found = std::find_if(std::begin(spaces), std::end(spaces), ends);
    if (found != std::end(spaces)) left -= found->size();
  }
  return text.size() - left;
}

std::size_t space_at_start(std::string_view text) {
  std::size_t taken = 0;
  const auto starts = [&](std::string_view space) { return text.substr(taken).starts_with(space); };
  for (const auto *found = std::begin(spaces); found != std::end(spaces);) {
    found = std::find_if(std::begin(spaces), std::end(spaces), starts);
    if (found != std::end(spaces)) taken += found->size();
  }
  return taken;
}

std::uint64_t step_of(std::uint32_t node, char byte) {
  return (static_cast<std::uint64_t>(node) << 8) | static_cast<unsigned char>(byte);
}

}  // namespace

void token_finder::add(const std::string &pattern, const added_token &token) {
  if (pattern.empty()) return;
  std::uint32_t node = 0;
  for (const char byte : pattern) {
    const auto [place, fresh] = steps_.emplace(step_of(node, byte), nodes_);
    nodes_ += fresh;
    node = place->second;
  }
  starts_[static_cast<unsigned char>(pattern.front())] = true;
  ends_.emplace(node, tokens_.size());
  tokens_.push_back(token);
}

token_finder::match token_finder::longest(std::string_view text) const {
  match best;
  std::uint32_t node = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto step = steps_.find(step_of(node, text[i]));
    if (step == steps_.end()) break;
    node = step->second;
    if (const auto end = ends_.find(node); end != ends_.end()) best = {i + 1, end->second};
  }
  return best;
}

void token_finder::split(std::string_view text, const std::function<void(std::string_view)> &between,
                         const std::function<void(std::int64_t)> &token) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const match found = starts_[static_cast<unsigned char>(text[at])] ? longest(text.substr(at)) : match{};
    if (found.length == 0) {
      ++at;
      continue;
    }
    const added_token &what = tokens_[found.token];
    std::size_t from = at, to = at + found.length;
    at = to;
    if (what.lstrip) from -= space_at_end(text.substr(done, std::max(from, done) - done));
    if (what.rstrip) to += space_at_start(text.substr(to));
    if (from > done) between(text.substr(done, from - done));
    token(what.id);
    done = to;
  }
  if (done < text.size()) between(text.substr(done));
}

}  // namespace slipstream

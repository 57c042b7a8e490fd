#include "models/templates/answers.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream {
namespace {

// How many bytes both begin with, as whole characters.
std::size_t common(std::string_view a, std::string_view b) {
  auto same =
      static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
  while (same > 0 && same < b.size() && (static_cast<unsigned char>(b[same]) & 0xc0U) == 0x80) --same;
  return same;
}

// Without the beginning of a mark (<|im_…) that two different ones share.
std::string_view without_half_mark(std::string_view text) {
  for (const auto &[open, close] : {std::pair('<', '>'), std::pair('[', ']')})
    if (const auto at = text.rfind(open);
        at != std::string_view::npos && text.find(close, at) == std::string_view::npos)
      text = text.substr(0, at);
  return text;
}

// The longest end of `answer` that `text` begins with, by Knuth, Morris and Pratt.
std::size_t kept_end(std::string_view answer, std::string_view text) {
  const std::string_view start = text.substr(0, answer.size());
  if (start.empty()) return 0;
  std::vector<std::size_t> back(start.size(), 0);
  const auto go_on = [&](std::size_t length, char c) {
    while (length > 0 && (length == start.size() || start[length] != c)) length = back[length - 1];
    return length < start.size() && start[length] == c ? length + 1 : length;
  };
  for (std::size_t i = 1; i < start.size(); ++i) back[i] = go_on(back[i - 1], start[i]);
  std::size_t length = 0;
  for (const char c : answer) length = go_on(length, c);
  return length;
}

// White space behind the mark that ends an answer is not the assistant's.
std::size_t without_space(std::string_view answer, const std::string &content) {
  const std::string_view shorter = jinja::strip(answer, false, true);
  const std::string_view words = jinja::strip(content);
  return shorter.empty() || (!words.empty() && shorter.ends_with(words)) ? answer.size() : shorter.size();
}

class answer_finder {
 public:
  answer_finder(const std::string &whole, const std::vector<chat_message> &messages,
                const renderer_of_parts &part, const std::string &where)
      : whole_(whole), messages_(messages), part_(part), where_(where) {}

  template_span find(std::size_t message) const {
    const std::string before = part_(message, true);
    const std::size_t from = whole_.starts_with(before) ? before.size() : start_of_words(message);
    const std::string_view rest = std::string_view(whole_).substr(from);
    const bool last = message + 1 == messages_.size();
    const std::size_t length = last ? rest.size() : end_of(message, from, rest);
    if (length == 0) fail(message, "nothing is written for it, or only in part");
    return {from, from + without_space(rest.substr(0, length), messages_[message].content)};
  }

 private:
  // The dialogue of the first `count` messages, rendered once for both ends of an answer.
  const std::string &up_to(std::size_t count) const {
    if (count == messages_.size()) return whole_;
    if (count != known_count_) known_ = part_(count, false), known_count_ = count;
    return known_;
  }

  // Of a template that opens an asked answer otherwise than dialogues write it: where the answer's own words
  // begin, if they stand in its turn once.
  std::size_t start_of_words(std::size_t message) const {
    const std::string before = part_(message, false);
    const std::string &until = up_to(message + 1);
    const std::string_view words = jinja::strip(messages_[message].content);
    if (words.empty() || !whole_.starts_with(until) || !until.starts_with(before))
      fail(message, "what stands before it is written otherwise once it is answered");
    const auto turn = std::string_view(until).substr(before.size());
    const auto at = turn.find(words);
    if (at == std::string_view::npos || turn.find(words, at + 1) != std::string_view::npos)
      fail(message, "its words do not stand in its turn just once");
    return before.size() + at;
  }

  std::size_t end_of(std::size_t message, std::size_t from, std::string_view rest) const {
    const std::string &until = up_to(message + 1);
    if (whole_.starts_with(until)) return until.size() - from;
    if (until.size() <= from ||
        std::string_view(until).substr(0, from) != std::string_view(whole_).substr(0, from))
      fail(message, "what stands before it is written otherwise later on");
    const std::string_view alone = std::string_view(until).substr(from);
    const std::string_view same = without_half_mark(rest.substr(0, common(alone, rest)));
    const std::string_view words = jinja::strip(messages_[message].content);
    if (!words.empty() && same.find(words) != std::string_view::npos) return same.size();
    const std::size_t kept = kept_end(alone, rest);
    return jinja::strip(rest.substr(0, kept)).empty() ? 0 : kept;
  }

  [[noreturn]] void fail(std::size_t message, const std::string &why) const {
    throw input_error("which part of message " + std::to_string(message + 1) +
                      " is the assistant's cannot be told from the chat template " + where_ + ": " + why +
                      "; put {% generation %} around answers in a copy of it and give chat = \"FILE.jinja\"");
  }

  const std::string &whole_;
  const std::vector<chat_message> &messages_;
  const renderer_of_parts &part_;
  const std::string &where_;
  mutable std::size_t known_count_ = 0;
  mutable std::string known_;
};

}  // namespace

std::vector<template_span> find_answers(const std::string &whole, const std::vector<chat_message> &messages,
                                        const renderer_of_parts &part, const std::string &where) {
  const answer_finder finder(whole, messages, part, where);
  std::vector<template_span> spans;
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].role == "assistant" && messages[i].trained) spans.push_back(finder.find(i));
  return spans;
}

std::vector<template_span> trained_ones(const std::vector<chat_message> &messages,
                                        const std::vector<template_span> &spans) {
  std::vector<template_span> kept;
  std::size_t next = 0;
  for (const chat_message &message : messages) {
    if (message.role != "assistant") continue;
    if (message.trained) kept.push_back(spans[next]);
    ++next;
  }
  return kept;
}

std::vector<chat_piece> pieces_of(const std::string &text, const std::vector<template_span> &trained) {
  std::vector<chat_piece> pieces;
  std::size_t at = 0;
  const auto add = [&](std::size_t to, bool is_trained) {
    if (to <= at) return;
    if (pieces.empty() || pieces.back().trained != is_trained) pieces.push_back({"", is_trained});
    pieces.back().text += text.substr(at, to - at);
    at = to;
  };
  for (const template_span &span : trained) {
    add(span.from, false);
    add(span.to, true);
  }
  add(text.size(), false);
  return pieces;
}

}  // namespace slipstream

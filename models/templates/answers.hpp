#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/templates/template.hpp"
#include "models/tokenizers/chat.hpp"

namespace slipstream {

/// The text of the first `count` messages, perhaps with the next answer opened.
using renderer_of_parts = std::function<std::string(std::size_t count, bool opened)>;

/// Where the answers that are to be trained stand in the text of a whole dialogue, each with what ends it. An
/// answer begins where the dialogue before it ends once its answer is opened, and ends where the dialogue up
/// to it does. Of an answer that the template shortens later on (its thought, as a rule) what is left counts.
/// Throws input_error that names the template where this cannot be told.
std::vector<template_span> find_answers(const std::string &whole, const std::vector<chat_message> &messages,
                                        const renderer_of_parts &part, const std::string &where);

/// Of spans that belong to the assistant's messages in order, those of messages that are trained.
std::vector<template_span> trained_ones(const std::vector<chat_message> &messages,
                                        const std::vector<template_span> &spans);

/// A text cut at its spans, which are what is trained; no piece is empty.
std::vector<chat_piece> pieces_of(const std::string &text, const std::vector<template_span> &trained);

}  // namespace slipstream

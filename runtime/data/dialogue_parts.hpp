#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/row_reader.hpp"
#include "runtime/types.hpp"

namespace slipstream {

// What the forms of dialogues have in common; every complaint names file and line.

using dialogue = std::vector<chat_message>;

/// Whether a field holds messages, and no text.
bool is_dialogue(const row_reader &row, std::string_view field);

/// A dialogue that leads to an answer, or one of a text alone: its own answers are only read.
dialogue question_turns(const row_reader &row, std::string_view field);

/// "prompt", as a text or as a dialogue.
void read_question_of(const row_reader &row, example &result);

/// A dialogue that ends with an answer: splits it off.
std::string take_answer(const row_reader &row, std::string_view field, dialogue &turns);

/// What every dialogue has besides its turns; `field` holds them, for messages. Nothing for plain texts.
void complete_dialogue(const row_reader &row, std::string_view field, example &result);

}  // namespace slipstream

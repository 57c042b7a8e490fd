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

/// Returns the dialogue that leads to an answer; a text alone becomes a dialogue of one turn. Answers within
/// it are read, but not trained on.
dialogue question_turns(const row_reader &row, std::string_view field);

/// Reads "prompt", which is a text or a dialogue.
void read_question_of(const row_reader &row, example &result);

/// A dialogue that ends with an answer: splits it off.
std::string take_answer(const row_reader &row, std::string_view field, dialogue &turns);

/// Reads what every dialogue has besides its turns. `field` holds the turns, and error messages name it.
/// Plain texts have nothing to read.
void complete_dialogue(const row_reader &row, std::string_view field, example &result);

}  // namespace slipstream

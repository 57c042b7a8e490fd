#pragma once

#include "runtime/data/row_reader.hpp"
#include "runtime/types.hpp"

namespace slipstream {

// How the rows of each form are read; formats.cpp has the table.

// Texts.
example read_text(const row_reader &row);
example read_alpaca(const row_reader &row);
example read_question(const row_reader &row);

// Texts or dialogues.
example read_prompt(const row_reader &row);
example read_demonstration(const row_reader &row);  ///< "response", a text, or "completion"
example read_scored(const row_reader &row);
example read_labelled(const row_reader &row);
example read_pair(const row_reader &row);
example read_ranking(const row_reader &row);

// Dialogues.
example read_messages(const row_reader &row);
example read_conversations(const row_reader &row);

}  // namespace slipstream

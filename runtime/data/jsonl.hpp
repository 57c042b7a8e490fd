#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// What the lines of a dataset hold, recognised by the fields of its first line.
enum class row_format {
  prompts,         ///< "prompt" (and "answer")
  demonstrations,  ///< "prompt" and "response"
  pairs,           ///< "prompt", "chosen" and "rejected"
  scored,          ///< "prompt", "response" and "score"
};

/// "prompts", "demonstrations", "pairs" or "scored".
std::string_view to_string(row_format format);

struct dataset {
  std::filesystem::path file;
  row_format format = row_format::prompts;
  std::vector<example> rows;       ///< `row` is set, `id` and `epoch` are the cursor's
  std::vector<std::size_t> lines;  ///< where each row stands, from 1

  /// "FILE:LINE" of a row, for messages.
  std::string place(std::int64_t row) const;
};

/// Reads JSON Lines in UTF-8: one object a line, all of one format; blank lines, CRLF and a byte-order mark
/// are allowed, and so are fields that have no meaning here. Throws input_error "FILE:LINE: error: …" naming
/// the mend.
dataset read_jsonl(const std::filesystem::path &file);

/// The same from memory; `file` names it in messages.
dataset parse_jsonl(std::string_view text, const std::filesystem::path &file);

}  // namespace slipstream

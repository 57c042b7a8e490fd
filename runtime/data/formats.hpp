#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/row_reader.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// What the lines of a dataset are good for.
enum class row_format {
  prompts,         ///< something to answer
  demonstrations,  ///< something to answer, and the answer
  pairs,           ///< a better and a worse answer
  scored,          ///< an answer and its score
  rankings,        ///< several answers from the best to the worst
};

/// "prompts", "demonstrations", "pairs", "scored answers" or "rankings".
std::string_view to_string(row_format format);

/// One way to write a dataset: the fields of its lines and how they are read.
struct data_format {
  std::string_view name;  ///< `format = "…"` in a topology
  row_format holds;
  std::vector<std::string_view> marks;     ///< a line with one of them is recognised as this
  std::vector<std::string_view> needs;     ///< in every line
  std::vector<std::string_view> may_have;  ///< read where they are there
  example (*read)(const row_reader &row);
  std::vector<std::string_view>
      beside{};  ///< unless this is empty, a recognised line must have one of them, too
  std::vector<std::string_view>
      refuses{};  ///< fields that would change what is read, and that cannot be obeyed

  /// Whether a line with these fields is of this format.
  bool recognises(const row_reader &row) const;
  bool has_field(std::string_view field) const;
  /// Throws input_error naming the line and what is missing or wrong.
  example read_row(row_reader &row) const;
};

/// The table, in the order of recognition: the first whose mark a line bears.
std::span<const data_format> data_formats();

/// Throws input_error with a suggestion when there is none of that name.
const data_format &find_data_format(std::string_view name);

/// Recognises a format by the fields of a line; null when none fits.
const data_format *recognised_format(const row_reader &row);

/// Does the same, but throws input_error with a list of the formats when none fits.
const data_format &recognise_format(const row_reader &row);

/// All fields that any format reads.
std::vector<std::string> data_fields();

}  // namespace slipstream

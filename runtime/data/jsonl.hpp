#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/data/formats.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// How a dataset is to be read where its first line does not say it.
struct data_options {
  std::string format;  ///< a name of data_formats(); empty: recognised
  field_names fields;  ///< names of fields, ours to the file's
};

struct dataset {
  std::filesystem::path file;
  row_format format = row_format::prompts;
  std::vector<example> rows;       ///< `row` is set, `id` and `epoch` are the cursor's
  std::vector<std::size_t> lines;  ///< where each row stands, from 1

  /// "FILE:LINE" of a row, for messages.
  std::string place(std::int64_t row) const;
};

/// Reads JSON Lines in UTF-8, also as a gzip file: one object a line, all of one format; blank lines, CRLF
/// and a byte-order mark are allowed, and so are fields that have no meaning here. Throws input_error
/// "FILE:LINE: error: …" naming the mend.
dataset read_jsonl(const std::filesystem::path &file, const data_options &options = {});

/// The same from memory; `file` names it in messages.
dataset parse_jsonl(std::string_view text, const std::filesystem::path &file,
                    const data_options &options = {});

}  // namespace slipstream

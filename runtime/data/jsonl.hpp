#pragma once

#include <cstdint>
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

/// Where a row stands; line and column from 1, column 0 where the row is a whole line.
struct row_place {
  std::size_t file = 0, line = 0, column = 0;
};

struct dataset {
  std::vector<std::filesystem::path> files;
  row_format format = row_format::prompts;
  std::vector<example> rows;  ///< file after file; `row` is set, `id` and `epoch` are the cursor's
  std::vector<row_place> places;
  std::vector<std::string> unread;  ///< fields of the files that mean nothing here

  /// "FILE:LINE" of a row, or "FILE:LINE:COLUMN", for messages.
  std::string place(std::int64_t row) const;
  /// The file, or the first one and how many more, for messages.
  std::string name() const;
};

/// Reads files whose rows are JSON objects in UTF-8, a line each or as one array, also packed with gzip or
/// zstd: each file in one format, and all files good for the same use. Blank lines, CRLF and a byte-order
/// mark are allowed, and so are fields that have no meaning here. Throws input_error "FILE:LINE: error: …"
/// naming the mend.
dataset read_data_files(const std::vector<std::filesystem::path> &files, const data_options &options = {});
dataset read_jsonl(const std::filesystem::path &file, const data_options &options = {});

/// The same from memory; `file` names it in messages.
dataset parse_jsonl(std::string_view text, const std::filesystem::path &file,
                    const data_options &options = {});

}  // namespace slipstream

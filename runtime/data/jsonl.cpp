#include "runtime/data/jsonl.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "models/error.hpp"
#include "runtime/data/gzip.hpp"

namespace slipstream {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r") == std::string_view::npos;
}

std::string_view next_line(std::string_view &text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

/// Fields of another format would be left out without a word.
void check_same_format(const row_reader &row, const data_format &format) {
  const auto *own = recognised_format(row);
  if (own != nullptr && own != &format)
    row.fail(
        fmt::format("the line holds {}, but the file holds {} (by its first line); keep them in two files",
                    own->holds == format.holds ? own->name : to_string(own->holds),
                    own->holds == format.holds ? format.name : to_string(format.holds)));
}

}  // namespace

std::string dataset::place(std::int64_t row) const {
  return fmt::format("{}:{}", file.string(), lines.at(static_cast<std::size_t>(row)));
}

dataset parse_jsonl(std::string_view text, const std::filesystem::path &file, const data_options &options) {
  dataset data;
  data.file = file;
  const auto *format = options.format.empty() ? nullptr : &find_data_format(options.format);
  std::size_t number = 0;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const auto line = next_line(text);
    ++number;
    if (is_blank(line)) continue;
    row_reader row(line, file, number, options.fields);
    if (format == nullptr) format = &recognise_format(row);
    data.rows.push_back(format->read_row(row));
    if (options.format.empty()) check_same_format(row, *format);
    data.lines.push_back(number);
    data.rows.back().row = static_cast<std::int64_t>(data.rows.size()) - 1;
  }
  if (data.rows.empty())
    throw input_error(
        fmt::format("{}: error: the file holds no rows; write one JSON object a line, as in "
                    "{{\"prompt\": \"…\"}}",
                    file.string()));
  data.format = format->holds;
  return data;
}

dataset read_jsonl(const std::filesystem::path &file, const data_options &options) {
  const auto fail = [&](const char *message) {
    throw input_error(fmt::format("{}: error: {}", file.string(), message));
  };
  std::error_code failed;
  const auto status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status))
    fail("there is no such data file; check the path, or write it with `slipstream data`");
  if (!std::filesystem::is_regular_file(status)) fail("this is not a file; name a JSON Lines file");
  std::ifstream in(file, std::ios::binary);
  std::ostringstream read;
  read << in.rdbuf();
  if (!in && std::filesystem::file_size(file) > 0)
    fail("the data file cannot be read; check its permissions");
  auto text = std::move(read).str();
  if (is_gzip(text)) text = gunzip(text, file.string());
  return parse_jsonl(text, file, options);
}

}  // namespace slipstream

#include "runtime/data/jsonl.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/error.hpp"

namespace slipstream {

namespace {

using nlohmann::json;

constexpr std::string_view sample_row = "{\"prompt\": \"…\"}";

struct line_reader {
  const std::filesystem::path &file;
  std::size_t line = 0;

  [[noreturn]] void fail(std::string_view message) const {
    throw input_error(fmt::format("{}:{}: error: {}", file.string(), line, message));
  }

  // Lines go through a parser that builds a stack as deep as the brackets; rows are flat, so brackets are
  // few.
  json parse(std::string_view text) const {
    const auto shallow = [&](int depth, json::parse_event_t, json &) {
      if (depth > 32)
        fail("the line is nested too deeply; a row is one flat object, as in {\"prompt\": \"…\"}");
      return true;
    };
    try {
      return json::parse(text, shallow);
    } catch (const json::parse_error &error) {
      const auto at = error.byte == 0 ? 1 : error.byte;
      if (std::string_view(error.what()).find("UTF-8") != std::string_view::npos)
        fail(fmt::format("the text is not UTF-8 at byte {} of the line; convert the file to UTF-8", at));
      fail(fmt::format("not valid JSON at byte {} of the line; each line holds one object, as in {}", at,
                       sample_row));
    } catch (const json::exception &) {
      fail("the line holds a number that is out of range; a score is an ordinary number");
    }
  }

  std::string text(const json &row, const char *field, row_format format, bool needed) const {
    const auto found = row.find(field);
    if (found == row.end()) {
      if (needed)
        fail(fmt::format(
            "the field \"{}\" is missing; the file holds {} (by its first line), and each line needs it",
            field, to_string(format)));
      return "";
    }
    if (!found->is_string()) fail(fmt::format("\"{}\" must be a string, not {}", field, described(*found)));
    return found->get<std::string>();
  }

  static std::string described(const json &value) {
    if (value.is_number() || value.is_boolean() || value.is_null()) return value.dump();
    return value.is_array() ? "an array" : value.is_object() ? "an object" : "a string";
  }

  row_format format_of(const json &row) const {
    if (!row.contains("prompt"))
      fail(
          "the field \"prompt\" is missing; a row has \"prompt\" alone or with \"answer\", with "
          "\"response\", with "
          "\"response\" and \"score\", or with \"chosen\" and \"rejected\"");
    if (row.contains("chosen") || row.contains("rejected")) return row_format::pairs;
    if (row.contains("score")) return row_format::scored;
    return row.contains("response") ? row_format::demonstrations : row_format::prompts;
  }

  // Fields of another format would be left out without a word.
  void check_format(const json &row, row_format format) const {
    const auto own = format_of(row);
    if (own != format)
      fail(fmt::format("the line holds {}, but the file holds {} (by its first line); keep them in two files",
                       to_string(own), to_string(format)));
  }

  example read(const json &row, row_format format) const {
    example result;
    result.prompt = text(row, "prompt", format, true);
    result.answer = text(row, "answer", format, false);
    if (format == row_format::pairs) {
      result.response = text(row, "chosen", format, true);
      result.rejected = text(row, "rejected", format, true);
    } else if (format != row_format::prompts) {
      result.response = text(row, "response", format, true);
    }
    if (format == row_format::scored) {
      const auto found = row.find("score");
      if (found == row.end())
        fail("the field \"score\" is missing; the file holds scored answers (by its first line)");
      if (!found->is_number()) fail(fmt::format("\"score\" must be a number, not {}", described(*found)));
      result.score = found->get<double>();
    }
    return result;
  }
};

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

}  // namespace

std::string_view to_string(row_format format) {
  switch (format) {
    case row_format::prompts:
      return "prompts";
    case row_format::demonstrations:
      return "demonstrations";
    case row_format::pairs:
      return "pairs";
    case row_format::scored:
      return "scored answers";
  }
  return "unknown";
}

std::string dataset::place(std::int64_t row) const {
  return fmt::format("{}:{}", file.string(), lines.at(static_cast<std::size_t>(row)));
}

dataset parse_jsonl(std::string_view text, const std::filesystem::path &file) {
  dataset data;
  data.file = file;
  line_reader reader{file};
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (!text.empty()) {
    const auto line = next_line(text);
    ++reader.line;
    if (is_blank(line)) continue;
    const json row = reader.parse(line);
    if (!row.is_object())
      reader.fail("the line is not an object; each line holds one, as in {\"prompt\": \"…\"}");
    if (data.rows.empty()) data.format = reader.format_of(row);
    data.rows.push_back(reader.read(row, data.format));
    reader.check_format(row, data.format);
    data.lines.push_back(reader.line);
    data.rows.back().row = static_cast<std::int64_t>(data.rows.size()) - 1;
  }
  if (data.rows.empty())
    throw input_error(
        fmt::format("{}: error: the file holds no rows; write one JSON object a line, as in "
                    "{{\"prompt\": \"…\"}}",
                    file.string()));
  return data;
}

dataset read_jsonl(const std::filesystem::path &file) {
  const auto fail = [&](const char *message) {
    throw input_error(fmt::format("{}: error: {}", file.string(), message));
  };
  std::error_code failed;
  const auto status = std::filesystem::status(file, failed);
  if (!std::filesystem::exists(status))
    fail("there is no such data file; check the path, or write it with `slipstream data`");
  if (!std::filesystem::is_regular_file(status)) fail("this is not a file; name a JSON Lines file");
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in && std::filesystem::file_size(file) > 0)
    fail("the data file cannot be read; check its permissions");
  return parse_jsonl(text.str(), file);
}

}  // namespace slipstream

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "actors/commands/rows.hpp"
#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "runtime/plumbing/output.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

const json &field_of(const json &line, const char *name, const std::string &place) {
  if (!line.is_object() || !line.contains(name))
    throw input_error(fmt::format("{}: error: each line is an object with \"{}\"", place, name));
  return line[name];
}

json encoded(const tokenizer &text, const json &line, bool special, const std::string &place) {
  const json &value = field_of(line, "text", place);
  if (!value.is_string()) throw input_error(fmt::format("{}: error: \"text\" must be text", place));
  const auto &content = value.get_ref<const std::string &>();
  try {
    return {{"ids", special ? text.encode_with_special(content) : text.encode(content)}};
  } catch (const input_error &problem) {
    throw input_error(fmt::format("{}: error: {}", place, problem.what()));
  }
}

json decoded(const tokenizer &text, const json &line, bool skip_special, const std::string &place) {
  const json &value = field_of(line, "ids", place);
  std::vector<std::int64_t> ids;
  for (const json &id : value.is_array() ? value : json::array({nullptr})) {
    if (!id.is_number_unsigned() || id > 1 << 30)
      throw input_error(fmt::format("{}: error: \"ids\" must be a list of token ids", place));
    ids.push_back(id.get<std::int64_t>());
  }
  return {{"text", text.decode(ids, !skip_special)}};
}

}  // namespace

command tokenize_row() {
  return row<tokenize_arguments>(
      "tokenize", "turn texts into token ids, or back: JSON lines on standard input",
      [](CLI::App &app, tokenize_arguments &arguments) {
        app.add_option("--model", arguments.model, "folder with a tokenizer.json, or a GGUF file")
            ->required();
        auto *decode = app.add_flag("--decode", arguments.decode, "ids to text");
        app.add_flag("--special", arguments.special,
                     "add the special tokens that the model expects around a text")
            ->excludes(decode);
        app.add_flag("--skip-special", arguments.skip_special, "leave special tokens out")->needs(decode);
      });
}

int execute(const tokenize_arguments &arguments) {
  const auto text = load_tokenizer(arguments.model);
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = fmt::format("standard input:{}", number);
    const json content = parse_json(line, place);
    const json result = arguments.decode ? decoded(*text, content, arguments.skip_special, place)
                                         : encoded(*text, content, arguments.special, place);
    fmt::print("{}\n", result.dump());
    if (std::cin.rdbuf()->in_avail() <= 0) flush_output();
  }
  return 0;
}

}  // namespace slipstream

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "actors/commands/rows.hpp"
#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "models/tokenizers/train.hpp"
#include "runtime/data/file_pieces.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/plumbing/say.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t part_bytes = 1 << 20;
constexpr std::size_t least_tokens = 259;

// A line on standard error now and then, for trainings that take long.
class reporter {
 public:
  void say(const std::string &what, std::size_t done, std::size_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::seconds(5)) return;
    last_ = now;
    slipstream::say(fmt::format("{}: {} of {}\n", what, done, all));
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void add_strings(const json &value, word_counts &counts) {
  if (value.is_string()) counts.add(value.get_ref<const std::string &>());
  if (!value.is_structured()) return;
  for (const json &part : value) add_strings(part, counts);
}

void add_lines(std::string_view text, const std::string &file, word_counts &counts) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.find_first_not_of(" \t\r") != line.npos)
      add_strings(parse_json(line, fmt::format("{}:{}", file, number)), counts);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
}

void add_text(std::string_view text, const std::string &file, word_counts &counts, reporter &progress) {
  const std::size_t all = text.size();
  while (!text.empty()) {
    const std::size_t part = part_of_text(text, part_bytes);
    try {
      counts.add(text.substr(0, part));
    } catch (const input_error &problem) {
      throw input_error(fmt::format("{}: error: {}", file, problem.what()));
    }
    text.remove_prefix(part);
    progress.say(file + ": megabytes counted", (all - text.size()) >> 20, all >> 20);
  }
}

void add_file(const fs::path &file, word_counts &counts, reporter &progress) {
  const std::string text = read_unpacked(file);
  fs::path name = file;
  if (name.extension() == ".gz" || name.extension() == ".zst") name.replace_extension();
  if (name.extension() == ".jsonl")
    add_lines(text, file.string(), counts);
  else
    add_text(text, file.string(), counts, progress);
}

}  // namespace

command tokenizer_train_row() {
  return row<tokenizer_train_arguments>(
      "tokenizer train", "train a byte-level BPE tokenizer on files",
      [](CLI::App &app, tokenizer_train_arguments &arguments) {
        app.add_option("files", arguments.files, "text or JSON Lines (every string counts), also gzip")
            ->required();
        app.add_option("--vocab-size", arguments.vocab_size, "tokens, 259 or more")->required();
        app.add_option("--to", arguments.to, "folder to write to (default: tokenizer)");
        app.add_option("--style", arguments.style, "how words are cut: gpt2 (default), llama3 or qwen");
      });
}

int execute(const tokenizer_train_arguments &arguments) {
  results_are_files();
  const bpe_style style = find_bpe_style(arguments.style);
  if (arguments.vocab_size < static_cast<std::int64_t>(least_tokens))
    throw input_error(
        fmt::format("--vocab-size: {} is too small; every byte and three special tokens make {}",
                    arguments.vocab_size, least_tokens));
  if (fs::exists(arguments.to / "tokenizer.json"))
    throw input_error(fmt::format("{} is there already; remove it or give another folder with --to",
                                  (arguments.to / "tokenizer.json").string()));
  reporter progress;
  word_counts counts(style);
  for (const fs::path &file : arguments.files) add_file(file, counts, progress);
  const auto wanted = static_cast<std::size_t>(arguments.vocab_size);
  const bpe_vocabulary vocabulary =
      train_bpe(counts.words(), wanted, [&](std::size_t tokens) { progress.say("tokens", tokens, wanted); });
  const tokenizer_files files = write_bpe_files(vocabulary, style);
  const auto made = read_tokenizer(files, arguments.to)->vocab_size();
  fs::create_directories(arguments.to);
  write_tokenizer_files(files, arguments.to);
  fmt::print("{}: {} tokens from {} different words\n", arguments.to.string(), made, counts.words().size());
  if (made < arguments.vocab_size)
    fmt::print("  fewer than the {} asked for: no pair of tokens occurs twice any more\n", wanted);
  return 0;
}

}  // namespace slipstream

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <vector>

#include "models/error.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const source_position &at, const std::string &message) {
  if (at.file.empty()) throw input_error(message);
  fail_at(at, message);
}

// The topology beside the one that asks, whose run has the name: the file to run first.
std::string file_of_run(const std::string &name, const source_position &at) {
  if (at.file.empty() || at.line == 0) return "";
  std::vector<fs::path> files;
  std::error_code failed;
  const auto folder = fs::path(at.file).parent_path();
  for (const auto &entry : fs::directory_iterator(folder.empty() ? "." : folder, failed))
    if (entry.path().extension() == ".toml") files.push_back(folder / entry.path().filename());
  std::sort(files.begin(), files.end());
  for (const auto &file : files) {
    try {
      const node document = read_document(file);
      const node *run = document.find("run");
      const node *named = run == nullptr ? nullptr : run->find("name");
      if (named != nullptr && named->as_text() != nullptr && *named->as_text() == name) return file.string();
    } catch (const input_error &) {
      continue;  // a neighbour that cannot be read is not the file in question
    }
  }
  return "";
}

fs::path last_checkpoint(const std::string &name, const fs::path &runs, const source_position &at) {
  const run_paths paths(runs / name);
  const auto last = paths.checkpoints / "last";
  std::error_code failed;
  if (fs::is_directory(last, failed)) {
    const auto target = fs::read_symlink(last, failed);
    return failed || target.is_absolute() ? last : paths.checkpoints / target;
  }
  const auto first = file_of_run(name, at);
  const auto mend = first.empty() ? fmt::format("run the topology named \"{}\" first", name)
                                  : fmt::format("run {} first", first);
  if (!fs::exists(paths.folder, failed))
    refuse(at,
           fmt::format("there is no run \"{}\" in {} (looked for {}); {}, or say where runs are with --set "
                       "run.folder=…",
                       name, runs.string(), paths.folder.string(), mend));
  refuse(at, fmt::format("the run folder {} has no finished checkpoint ({} is missing); {}",
                         paths.folder.string(), last.string(), mend));
}

}  // namespace

fs::path resolve_model(const std::string &from, const fs::path &runs, const source_position &at) {
  constexpr std::string_view prefix = "run:";
  if (from.starts_with(prefix)) {
    const auto name = from.substr(prefix.size());
    if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
      refuse(at,
             fmt::format("\"{}\" names no run; write \"run:NAME\", with the NAME of another topology's [run]",
                         from));
    return last_checkpoint(name, runs, at);
  }
  std::error_code failed;
  if (!fs::is_directory(from, failed) && !fs::is_regular_file(from, failed))
    refuse(
        at,
        fmt::format(
            "there is no model \"{}\"; name a folder with config.json and model.safetensors, a GGUF file, or "
            "\"run:NAME\" for another run's last checkpoint",
            from));
  return from;
}

}  // namespace slipstream

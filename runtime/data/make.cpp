#include "runtime/data/make.hpp"

#include <fmt/format.h>

#include "models/error.hpp"
#include "runtime/data/make_countdown.hpp"
#include "runtime/data/make_sort.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {

const std::vector<maker> &makers() {
  static const std::vector<maker> all{
      {"sort", {"demonstrations.jsonl", "prompts.jsonl", "heldout.jsonl"}, make_sort},
      {"countdown", {"demonstrations.jsonl", "prompts.jsonl", "heldout.jsonl"}, make_countdown},
  };
  return all;
}

const maker &find_maker(std::string_view name) {
  std::vector<std::string> names;
  for (const auto &task : makers()) {
    if (task.name == name) return task;
    names.push_back(task.name);
  }
  throw input_error(fmt::format("there is no made-up task \"{}\".{} Tasks: {}", name,
                                did_you_mean(name, names), listed(names)));
}

bool make_data(const maker &task, const std::filesystem::path &folder, std::uint64_t seed) {
  std::vector<std::string> there, missing;
  for (const auto &name : task.files)
    (std::filesystem::exists(folder / name) ? there : missing).push_back(name);
  if (missing.empty()) return false;
  if (!there.empty())
    throw input_error(
        fmt::format("{}: error: the folder holds {} but not {}; remove them to have all written anew, "
                    "or choose another folder",
                    folder.string(), listed(there), listed(missing)));
  make_folder(folder);
  for (const auto &file : task.make(seed)) write_aside(folder / file.name, file.text);
  return true;
}

}  // namespace slipstream

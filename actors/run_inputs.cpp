#include "actors/run_inputs.hpp"

#include <algorithm>
#include <string>

#include "actors/preflight.hpp"
#include "models/error.hpp"
#include "runtime/data/data_files.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

void add(std::vector<run_input> &inputs, const std::string &what, const fs::path &file) {
  std::error_code failed;
  if (fs::is_regular_file(file, failed)) inputs.push_back({what, file});
}

/// The files of a model's or a tokenizer's folder that are read.
void add_folder(std::vector<run_input> &inputs, const std::string &what, const fs::path &folder) {
  add(inputs, what, folder);  // a model in one file
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto &entry : fs::directory_iterator(folder, failed)) {
    const auto name = entry.path().filename().string();
    const bool state =
        name == "slipstream.json" || name == "checksums.json" || name == "optimizer.safetensors";
    if (!state && (name.ends_with(".json") || name.ends_with(".safetensors") || name.ends_with(".jinja") ||
                   name == "merges.txt"))
      files.push_back(folder / name);
  }
  std::sort(files.begin(), files.end());
  for (const auto &file : files) add(inputs, what, file);
}

/// The files of a dataset: names and patterns.
std::vector<fs::path> data_of(const actor_config &actor, const std::string &folder) {
  if (actor.facts.datasets.empty()) return {};
  try {
    return find_data_files(actor.facts.datasets, folder);
  } catch (const input_error &) {
    return {};  // told with its place when the data are read
  }
}

void add_model(std::vector<run_input> &inputs, const model_config &model, const std::string &runs) {
  const auto what = "[models." + model.name + "]";
  if (!model.tokenizer.empty()) add_folder(inputs, what + " tokenizer", model.tokenizer);
  if (model.source != model_config::origin::from) return;
  try {
    const auto folder = resolve_model(model.from, runs, model.at);
    add_folder(inputs, what + " from", folder);
    if (const auto adapter = checkpoint_adapter(folder))
      add_folder(inputs, what + " from (what the adapters stand on)", adapter->base);
  } catch (const input_error &) {
    // told with its place when the model is looked at
  }
}

}  // namespace

std::vector<run_input> inputs_of(const topology &graph) {
  std::vector<run_input> inputs;
  for (const auto &actor : graph.actors) {
    const auto what = "[actors." + actor.name + "] ";
    for (const auto &file : data_of(actor, graph.data.folder)) add(inputs, what + "dataset", file);
    if (!actor.facts.chat.empty()) add(inputs, what + "chat", actor.facts.chat);
  }
  for (const auto &model : graph.models) add_model(inputs, model, graph.run.folder);
  return inputs;
}

}  // namespace slipstream

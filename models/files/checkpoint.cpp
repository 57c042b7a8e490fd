#include "models/files/checkpoint.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fcntl.h>

#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/mapping.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char *weights_name = "model.safetensors", *index_name = "model.safetensors.index.json";

// The files that hold the weights: one, or those that the index names.
std::set<fs::path> weight_files(const fs::path &folder) {
  if (fs::exists(folder / weights_name)) return {folder / weights_name};
  const fs::path index = folder / index_name;
  if (!fs::exists(index))
    throw input_error(folder.string() + ": error: holds neither " + weights_name + " nor " + index_name +
                      "; is it a whole Hugging Face folder?");
  const json content = read_json(index);
  const auto map = content.is_object() ? content.find("weight_map") : content.end();
  if (map == content.end() || !map->is_object() || map->empty())
    throw input_error(index.string() + ": error: weight_map is missing or no table; download the file anew");
  std::set<fs::path> files;
  for (const auto &[name, file] : map->items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>())
      throw input_error(index.string() + ": error: weight_map: " + name + " must name a file of this folder");
    files.insert(folder / file.get<std::string>());
  }
  return files;
}

// Where each parameter is stored, shapes and types checked. A head that config.json does not speak of may be
// absent.
std::map<std::string, std::shared_ptr<const safetensors_file>> find_parameters(
    const fs::path &folder, const std::vector<parameter_slot> &slots, bool fresh_head) {
  std::map<std::string, std::shared_ptr<const safetensors_file>> where;
  for (const fs::path &path : weight_files(folder)) {
    const auto file = std::make_shared<const safetensors_file>(path);
    for (const auto &[name, tensor] : file->tensors())
      if (!where.emplace(name, file).second)
        throw input_error(path.string() + ": error: tensor " + name + " stands in two files; remove one");
  }
  for (const parameter_slot &slot : slots) {
    const auto found = where.find(slot.name);
    if (found == where.end() && fresh_head && slot.name == "score.weight") continue;
    const std::string file = (found == where.end() ? folder : found->second->path()).string();
    if (found == where.end())
      throw input_error(file + ": error: tensor " + slot.name +
                        " is missing; does config.json fit the weights?");
    const stored_tensor &stored = found->second->tensors().at(slot.name);
    if (stored.shape != slot.shape)
      throw input_error(file + ": error: tensor " + slot.name + " has another shape than config.json says");
    if (!c10::isFloatingType(stored.type))
      throw input_error(file + ": error: tensor " + slot.name + " must be F32, F16 or BF16; convert it");
  }
  return where;
}

void require_folder(const fs::path &folder) {
  if (!fs::is_directory(folder))
    throw input_error(folder.string() + ": error: there is no such folder; give one that holds a model");
  if (!fs::exists(folder / "config.json"))
    throw input_error(folder.string() + ": error: holds no config.json; is it a whole Hugging Face folder?");
}

json generation_config(const model_spec &spec) {
  json config{{"_from_model_config", true}};
  const std::pair<const char *, std::int64_t> tokens[] = {
      {"bos_token_id", spec.bos_token}, {"eos_token_id", spec.eos_token}, {"pad_token_id", spec.pad_token}};
  for (const auto &[name, id] : tokens)
    if (id >= 0) config[name] = id;
  return config;
}

named_tensors named_parameters(const checkpoint &model) {
  named_tensors tensors;
  for (const parameter_slot &slot : parameter_layout(model.spec)) {
    std::int64_t count = 1;
    for (const std::int64_t size : slot.shape) count *= size;
    tensors.emplace_back(slot.name, model.flat.detach().narrow(0, slot.offset, count).view(slot.shape));
  }
  return tensors;
}

// The hidden neighbour of a folder.
fs::path aside(const fs::path &folder, const char *suffix) {
  return folder.parent_path() / ("." + folder.filename().string() + suffix);
}

// Puts `fresh` where `folder` is. An existing folder is exchanged in one step; on a file system that cannot
// do that it steps aside first, so a kill between the two renames leaves it whole under its hidden name.
void put_in_place(const fs::path &fresh, const fs::path &folder) {
  if (fs::exists(folder) &&
      ::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) {
    sync_path(folder.parent_path());
    fs::remove_all(fresh);
    return;
  }
  const fs::path old = aside(folder, ".old");
  fs::remove_all(old);
  if (fs::exists(folder)) fs::rename(folder, old);
  fs::rename(fresh, folder);
  sync_path(folder.parent_path());
  fs::remove_all(old);
}

}  // namespace

model_spec checkpoint_spec(const fs::path &folder, std::int64_t labels) {
  require_folder(folder);
  model_spec spec = read_spec(folder / "config.json");
  if (labels > 0) spec.labels = labels;
  return spec;
}

void verify_checkpoint(const fs::path &folder) {
  find_parameters(folder, parameter_layout(checkpoint_spec(folder)), false);
}

checkpoint load_checkpoint(const fs::path &folder, std::int64_t labels) {
  checkpoint model;
  model.spec = checkpoint_spec(folder, labels);
  const std::vector<parameter_slot> slots = parameter_layout(model.spec);
  const bool fresh_head = checkpoint_spec(folder).labels == 0;
  const auto files = find_parameters(folder, slots, fresh_head);
  model.flat = at::empty({parameter_count(model.spec)}, at::kFloat);
  for (const parameter_slot &slot : slots) {
    std::int64_t count = 1;
    for (const std::int64_t size : slot.shape) count *= size;
    const at::Tensor place = model.flat.narrow(0, slot.offset, count).view(slot.shape);
    const auto file = files.find(slot.name);
    file == files.end() ? place.zero_() : place.copy_(file->second->get(slot.name));
  }
  if (fs::exists(folder / "tokenizer.json")) model.text = load_tokenizer(folder);
  return model;
}

void save_checkpoint(const fs::path &given, const checkpoint &model, const named_tensors &optimizer,
                     const std::string &extra_json) {
  const fs::path folder = fs::absolute(given / "").parent_path();
  const fs::path fresh = aside(folder, ".new");
  fs::create_directories(folder.parent_path());
  fs::remove_all(fresh);
  fs::create_directory(fresh);
  write_file(fresh / "config.json", to_config(model.spec).dump(2));
  write_file(fresh / "generation_config.json", generation_config(model.spec).dump(2));
  write_safetensors(fresh / weights_name, named_parameters(model));
  if (!optimizer.empty()) write_safetensors(fresh / "optimizer.safetensors", optimizer);
  if (!extra_json.empty()) write_file(fresh / "slipstream.json", extra_json);
  if (model.text) model.text->save(fresh);
  sync_path(fresh);
  put_in_place(fresh, folder);
}

}  // namespace slipstream

#include "models/files/weights.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <set>

#include "models/error.hpp"
#include "models/files/json.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The files that hold the weights: one, or those that the index names.
std::set<fs::path> weight_files(const fs::path &folder, const std::string &stem) {
  const fs::path single = folder / (stem + ".safetensors"),
                 index = folder / (stem + ".safetensors.index.json");
  if (fs::exists(single)) return {single};
  if (!fs::exists(index))
    throw input_error(folder.string() + ": error: holds neither " + single.filename().string() + " nor " +
                      index.filename().string() + "; is it a whole Hugging Face folder, in safetensors?");
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

// Tensors that transformers stores beside the parameters or that other heads need: no part of the
// computation.
bool is_idle(const std::string &name) {
  constexpr std::array endings{".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"};
  return name == "lm_head.weight" || name == "score.weight" ||
         std::any_of(endings.begin(), endings.end(), [&](const char *end) { return name.ends_with(end); });
}

std::string shape_text(const std::vector<std::int64_t> &shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

void check_slot(const safetensors_file &file, const std::string &name, const parameter_slot &slot) {
  const stored_tensor &stored = file.tensors().at(name);
  if (stored.shape != slot.stored_shape())
    throw input_error(file.path().string() + ": error: tensor " + name + " has shape " +
                      shape_text(stored.shape) + ", but the configuration says " +
                      shape_text(slot.stored_shape()) + "; do the files belong together?");
  if (!c10::isFloatingType(stored.type))
    throw input_error(file.path().string() + ": error: tensor " + name +
                      " must be F32, F16 or BF16; convert it");
}

}  // namespace

stored_weights::stored_weights(const fs::path &folder, const std::string &stem) : folder_(folder) {
  for (const fs::path &path : weight_files(folder, stem)) {
    files_.push_back(std::make_shared<const safetensors_file>(path));
    for (const auto &[name, tensor] : files_.back()->tensors())
      if (!holders_.emplace(name, files_.back().get()).second)
        throw input_error(path.string() + ": error: tensor " + name + " stands in two files; remove one");
  }
}

const safetensors_file *stored_weights::holder(const std::string &name) const {
  const auto found = holders_.find(name);
  return found == holders_.end() ? nullptr : found->second;
}

std::string stored_weights::stored_name(const parameter_slot &slot) const {
  if (holder(slot.name)) return slot.name;
  for (const std::string_view prefix : {"model.", "transformer."}) {
    if (!slot.name.starts_with(prefix)) continue;
    std::string bare = slot.name.substr(prefix.size());
    if (holder(bare)) return bare;
  }
  return "";
}

void stored_weights::match(const std::vector<parameter_slot> &slots, bool optional_head) const {
  std::set<std::string> used;
  for (const parameter_slot &slot : slots) {
    const std::string name = stored_name(slot);
    if (name.empty() && optional_head && slot.name == "score.weight") continue;
    if (name.empty())
      throw input_error((files_.size() == 1 ? files_.front()->path() : folder_).string() +
                        ": error: tensor " + slot.name +
                        " is missing; does the configuration fit the weights?");
    check_slot(*holder(name), name, slot);
    used.insert(name);
  }
  for (const auto &[name, file] : holders_)
    if (!used.contains(name) && !is_idle(name))
      throw input_error(file->path().string() + ": error: tensor " + name +
                        " has no place in the network that the configuration describes; leaving it out would "
                        "change the numbers");
}

void stored_weights::read(const std::vector<parameter_slot> &slots, const at::Tensor &flat) const {
  for (const parameter_slot &slot : slots) {
    at::Tensor place = flat.narrow(0, slot.offset, slot.count()).view(slot.shape);
    const std::string name = stored_name(slot);
    if (name.empty())
      place.zero_();
    else
      holder(name)->copy_to(name, slot.stored_transposed ? place.t() : place);
  }
}

}  // namespace slipstream

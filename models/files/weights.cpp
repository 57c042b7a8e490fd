#include "models/files/weights.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/mapping.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The files that hold the weights (one, or those that an index names), and what the index says of each
// tensor.
struct weight_places {
  std::set<fs::path> files;
  std::map<std::string, fs::path> claims;
  fs::path index;
};

weight_places find_weights(const fs::path &folder, const std::string &stem) {
  const fs::path single = folder / (stem + ".safetensors"),
                 index = folder / (stem + ".safetensors.index.json");
  if (fs::exists(single)) return {{single}, {}, {}};
  if (!fs::exists(index))
    throw input_error(folder.string() + ": error: holds neither " + single.filename().string() + " nor " +
                      index.filename().string() + "; is it a whole Hugging Face folder, in safetensors?");
  const json content = read_json(index);
  const auto map = content.is_object() ? content.find("weight_map") : content.end();
  if (map == content.end() || !map->is_object() || map->empty())
    throw input_error(index.string() + ": error: weight_map is missing or no table; download the file anew");
  weight_places places{{}, {}, index};
  for (const auto &[name, file] : map->items()) {
    if (!file.is_string() || fs::path(file.get<std::string>()).filename() != file.get<std::string>())
      throw input_error(index.string() + ": error: weight_map: " + name + " must name a file of this folder");
    const fs::path place = folder / file.get<std::string>();
    places.files.insert(place);
    places.claims.emplace(name, place);
  }
  return places;
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
    throw input_error(file.path().string() + ": error: tensor " + name + " is of " + stored.dtype +
                      ", and weights must be F32, F16, BF16 or F64; convert it");
}

// Whether two tensors hold the same numbers; their files' pages are let go.
bool equal_tensors(const safetensors_file &one, const std::string &name, const safetensors_file &other,
                   const std::string &its_name) {
  const stored_tensor &a = one.tensors().at(name), &b = other.tensors().at(its_name);
  if (a.shape != b.shape || a.shape.empty()) return false;
  if (!c10::isFloatingType(a.type)) return false;
  const at::Tensor left = one.get(name), right = other.get(its_name);
  constexpr std::int64_t slice = 1024;  // rows
  bool equal = true;
  for (std::int64_t row = 0; equal && row < a.shape[0]; row += slice) {
    const auto count = std::min(slice, a.shape[0] - row);
    const at::Tensor x = left.narrow(0, row, count), y = right.narrow(0, row, count);
    equal = a.type == b.type ? std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0
                             : at::equal(x.to(at::kFloat), y.to(at::kFloat));
    for (const auto &part : {x, y}) release_pages(part.data_ptr(), part.nbytes());
  }
  return equal;
}

}  // namespace

stored_weights::stored_weights(const fs::path &folder, const std::string &stem) : folder_(folder) {
  const weight_places places = find_weights(folder, stem);
  for (const fs::path &path : places.files) {
    files_.push_back(std::make_shared<const safetensors_file>(path));
    for (const auto &[name, tensor] : files_.back()->tensors())
      if (!holders_.emplace(name, files_.back().get()).second)
        throw input_error(path.string() + ": error: tensor " + name + " stands in two files; remove one");
  }
  for (const auto &[name, path] : places.claims)
    if (const auto *file = holder(name); !file || file->path() != path)
      throw input_error(places.index.string() + ": error: weight_map: " + name + " is not in " +
                        path.filename().string() + "; download the index and its files anew, together");
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
  check_tied_head(slots);
}

// Where the head is the embedding, a head of the file's own would be left out without a word.
void stored_weights::check_tied_head(const std::vector<parameter_slot> &slots) const {
  const auto named = [&](const char *name) {
    return std::any_of(slots.begin(), slots.end(), [&](const auto &slot) { return slot.name == name; });
  };
  const auto *head = holder("lm_head.weight");
  if (!head || named("lm_head.weight") || named("score.weight")) return;
  const auto table = std::find_if(slots.begin(), slots.end(),
                                  [](const auto &slot) { return slot.kind == parameter_slot::role::table; });
  if (table == slots.end()) return;
  const std::string name = stored_name(*table);
  if (equal_tensors(*head, "lm_head.weight", *holder(name), name)) return;
  throw input_error(head->path().string() + ": error: tensor lm_head.weight differs from " + name +
                    ", but tie_word_embeddings in config.json says that the two are one; write "
                    "\"tie_word_embeddings\": false there to use the file's head, or remove the tensor");
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

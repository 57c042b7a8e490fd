#include <ATen/core/Tensor.h>
#include <fcntl.h>

#include <array>
#include <cstdio>

#include "models/error.hpp"
#include "models/files/adapter_config.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/checksum.hpp"
#include "models/files/json.hpp"
#include "models/files/mapping.hpp"
#include "models/files/safetensors.hpp"
#include "models/files/write_failure.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json generation_config(const model_spec &spec) {
  json config{{"_from_model_config", true}};
  if (spec.bos_token >= 0) config["bos_token_id"] = spec.bos_token;
  if (spec.pad_token >= 0) config["pad_token_id"] = spec.pad_token;
  if (!spec.eos_tokens.empty())
    config["eos_token_id"] = spec.eos_tokens.size() > 1 ? json(spec.eos_tokens) : json(spec.eos_token());
  return config;
}

named_tensors named_parameters(const std::vector<parameter_slot> &slots, const at::Tensor &flat) {
  named_tensors tensors;
  for (const parameter_slot &slot : slots) {
    const at::Tensor view = flat.detach().narrow(0, slot.offset, slot.count()).view(slot.shape);
    tensors.emplace_back(slot.name, slot.stored_transposed ? view.t() : view);
  }
  return tensors;
}

// Consecutive tensors, cut where a file would exceed the limit.
std::vector<named_tensors> shards(const named_tensors &tensors, const save_options &options) {
  std::vector<named_tensors> result(1);
  std::uint64_t bytes = 0;
  for (const auto &each : tensors) {
    const std::uint64_t size =
        static_cast<std::uint64_t>(each.second.numel()) * c10::elementSize(options.type);
    if (!result.back().empty() && bytes + size > options.shard_bytes) {
      result.emplace_back();
      bytes = 0;
    }
    result.back().push_back(each);
    bytes += size;
  }
  return result;
}

std::string shard_name(std::size_t number, std::size_t count) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "model-%05zu-of-%05zu.safetensors", number, count);
  return text.data();
}

void write_weights(const fs::path &folder, const named_tensors &tensors, const save_options &options) {
  const std::vector<named_tensors> files = shards(tensors, options);
  if (files.size() == 1) return write_safetensors(folder / "model.safetensors", tensors, options.type);
  json map = json::object();
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string name = shard_name(i + 1, files.size());
    write_safetensors(folder / name, files[i], options.type);
    for (const auto &[tensor, values] : files[i]) {
      map[tensor] = name;
      bytes += static_cast<std::uint64_t>(values.numel()) * c10::elementSize(options.type);
    }
  }
  const json index{{"metadata", {{"total_size", bytes}}}, {"weight_map", map}};
  write_file(folder / "model.safetensors.index.json", index.dump(2));
}

void write_model(const fs::path &folder, const checkpoint &model, const save_options &options) {
  if (model.adapter) {
    write_file(folder / "adapter_config.json", to_adapter_config(model.spec, *model.adapter).dump(2));
    const auto slots = adapter_layout(model.spec, model.adapter->spec);
    write_safetensors(folder / "adapter_model.safetensors", named_parameters(slots, model.adapter->values),
                      options.type);
    write_file(folder / "generation_config.json", generation_config(model.spec).dump(2));
    return;
  }
  write_file(folder / "config.json", to_config(model.spec, type_name(options.type)).dump(2));
  write_file(folder / "generation_config.json", generation_config(model.spec).dump(2));
  write_weights(folder, named_parameters(parameter_layout(model.spec), model.flat), options);
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

void forget(const fs::path &folder) {
  std::error_code failed;
  fs::remove_all(folder, failed);
}

}  // namespace

std::string type_name(at::ScalarType type) {
  if (type == at::kHalf) return "float16";
  return type == at::kBFloat16 ? "bfloat16" : "float32";
}

void save_checkpoint(const fs::path &given, const checkpoint &model, const named_tensors &optimizer,
                     const std::string &extra_json, const save_options &options) {
  const fs::path folder = fs::absolute(given / "").parent_path();
  const fs::path fresh = aside(folder, ".new");
  try {
    fs::create_directories(folder.parent_path());
    fs::remove_all(fresh);
    fs::create_directory(fresh);
    write_model(fresh, model, options);
    if (!optimizer.empty()) write_safetensors(fresh / "optimizer.safetensors", optimizer);
    if (!extra_json.empty()) write_file(fresh / "slipstream.json", extra_json);
    if (model.text) model.text->save(fresh);
    if (!extra_json.empty()) write_checksums(fresh);
    sync_path(fresh);
    put_in_place(fresh, folder);
  } catch (const fs::filesystem_error &problem) {
    forget(fresh);
    throw write_failure(problem.path1(), problem.code().value());
  } catch (...) {
    forget(fresh);  // half a checkpoint on a full disk is in the way
    throw;
  }
}

}  // namespace slipstream

#include "models/files/gguf_weights.hpp"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <set>

#include "models/files/gguf/architectures.hpp"

namespace slipstream {
namespace {

std::string sizes_text(const std::vector<std::int64_t> &shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

std::string stored_name(const model_spec &spec, const parameter_slot &slot) {
  return gguf_tensor_name(*find_family(spec.model_type), slot.name);
}

bool optional(const parameter_slot &slot) {
  return slot.name == "score.weight";
}

}  // namespace

void match_gguf(const gguf_file &file, const model_spec &spec, bool optional_head) {
  std::set<std::string> used{"rope_freqs.weight"};
  for (const parameter_slot &slot : parameter_layout(spec)) {
    const std::string name = stored_name(spec, slot), shown = "tensor " + name;
    if (optional(slot) && optional_head) continue;
    const auto *tensor = file.find_tensor(name);
    if (!tensor) file.refuse(shown, "is missing; is it a whole GGUF model?");
    if (tensor->shape != slot.shape)
      file.refuse(shown, "has shape " + sizes_text(tensor->shape) + ", but the file's keys say " +
                             sizes_text(slot.shape));
    if (!tensor->type->dequantise)
      file.refuse(shown, std::string("the type ") + tensor->type->name +
                             " is not supported; supported are: " + readable_gguf_types());
    used.insert(name);
  }
  if (spec.tied_embeddings || spec.labels > 0) used.insert("output.weight");
  for (const auto &[name, tensor] : file.tensors())
    if (!used.contains(name))
      file.refuse("tensor " + name.substr(0, 80),
                  "has no place in the network that the file's keys describe; "
                  "leaving it out would change the numbers");
}

std::vector<std::int64_t> gguf_row_order(const model_spec &spec, const std::string &parameter,
                                         bool permuted) {
  const bool queries = parameter.find(".self_attn.q_proj.") != std::string::npos;
  if (!permuted || (!queries && parameter.find(".self_attn.k_proj.") == std::string::npos)) return {};
  const std::int64_t heads = queries ? spec.heads : spec.kv_heads, width = spec.head_dim, half = width / 2;
  std::vector<std::int64_t> order;
  for (std::int64_t head = 0; head < heads; ++head)
    for (std::int64_t row = 0; row < width; ++row) order.push_back(head * width + row % 2 * half + row / 2);
  return order;
}

void read_gguf(const gguf_file &file, const model_spec &spec, const at::Tensor &flat) {
  const bool permuted = find_architecture(file).permuted;
  for (const parameter_slot &slot : parameter_layout(spec)) {
    at::Tensor place = flat.narrow(0, slot.offset, slot.count());
    if (optional(slot)) {
      place.zero_();
      continue;
    }
    const std::string name = stored_name(spec, slot);
    const auto *tensor = file.find_tensor(name);
    const std::int64_t rows = tensor->shape.size() > 1 ? tensor->shape[0] : 1;
    const auto order = gguf_row_order(spec, slot.name, permuted);
    if (order.empty()) {
      file.read_rows(name, 0, rows, place.data_ptr<float>());
      continue;
    }
    const at::Tensor stored = at::empty(
        {static_cast<std::int64_t>(order.size()), slot.count() / static_cast<std::int64_t>(order.size())},
        at::kFloat);
    file.read_rows(name, 0, rows, stored.data_ptr<float>());
    const at::Tensor here = place.view(stored.sizes());
    for (std::size_t row = 0; row < order.size(); ++row)
      here.select(0, order[row]).copy_(stored.select(0, static_cast<std::int64_t>(row)));
  }
}

}  // namespace slipstream

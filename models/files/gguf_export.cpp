#include "models/files/gguf_export.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "models/error.hpp"
#include "models/files/gguf/architectures.hpp"
#include "models/files/gguf/tokenizer_keys.hpp"
#include "models/files/gguf/writer.hpp"
#include "models/files/gguf_weights.hpp"
#include "models/files/model_files.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<const char *, int> export_types[] = {{"F32", 0}, {"F16", 1}, {"BF16", 32}, {"Q8_0", 7}};

class gguf_exporting {
 public:
  gguf_exporting(const fs::path &file, const checkpoint &model, const fs::path &place,
                 const std::string &type)
      : file_(file), model_(model), spec_(model.spec), place_(place) {
    type_ = find_gguf_type(type);
    const auto writable =
        std::find_if(std::begin(export_types), std::end(export_types),
                     [&](const auto &row) { return type_ && type_->name == std::string(row.first); });
    if (writable == std::end(export_types))
      throw input_error("--type: \"" + type + "\" cannot be written; use f32, f16, bf16 or q8_0");
    number_ = writable->second;
    row_ = architecture_to_write(spec_.model_type);
  }

  void write() {
    if (fs::exists(file_))
      throw input_error(file_.string() + ": error: is there already; export to a new file");
    refuse_losses();
    keys();
    if (model_.text)
      write_tokenizer_keys(to_, place_, *model_.text, spec_.vocab_size);
    else
      to_.text("tokenizer.ggml.model", "none");
    for (const auto &slot : parameter_layout(spec_)) tensor(slot);
    if (spec_.rope.type == rope_scaling::kind::llama3) rope_factors();
    to_.write(file_);
  }

 private:
  [[noreturn]] void lost(const std::string &what) const {
    throw input_error(place_.string() + ": error: " + what +
                      " cannot be said in a GGUF file; export a folder instead");
  }

  void refuse_losses() const {
    if (!row_) lost("the model_type \"" + spec_.model_type + "\"");
    if (model_.adapter)
      throw input_error("--keep-adapter: a GGUF file holds merged weights; leave the option out");
    if (spec_.labels > 0) lost("a score head (score.weight)");
    if (std::any_of(spec_.windows.begin(), spec_.windows.end(),
                    [&](auto window) { return window > 0 && window < spec_.max_positions; }))
      lost("sliding_window");
    if (spec_.rope.type == rope_scaling::kind::llama3 && std::string(row_->name) != "llama")
      lost("rope_type \"llama3\" of a " + spec_.model_type + " model");
    if (spec_.model_type == "qwen3" && spec_.qkv_bias) lost("attention_bias of a qwen3 model");
  }

  std::string key(const char *name) const { return std::string(row_->name) + "." + name; }

  void keys() {
    to_.text("general.architecture", row_->name);
    to_.text("general.type", "model");
    to_.whole("general.file_type", number_);
    to_.whole("general.quantization_version", 2);
    to_.whole(key("vocab_size"), spec_.vocab_size);
    to_.whole(key("context_length"), spec_.max_positions);
    to_.whole(key("embedding_length"), spec_.hidden_size);
    to_.whole(key("block_count"), spec_.layers);
    to_.whole(key("feed_forward_length"), spec_.intermediate_size);
    to_.whole(key("attention.head_count"), spec_.heads);
    to_.whole(key("attention.head_count_kv"), spec_.kv_heads);
    to_.number(key(row_->learned ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
               spec_.norm_eps);
    if (row_->learned) return;
    to_.whole(key("attention.key_length"), spec_.head_dim);
    to_.whole(key("attention.value_length"), spec_.head_dim);
    to_.whole(key("rope.dimension_count"), spec_.head_dim);
    to_.number(key("rope.freq_base"), spec_.rope_theta);
    if (spec_.rope.type != rope_scaling::kind::linear) return;
    to_.text(key("rope.scaling.type"), "linear");
    to_.number(key("rope.scaling.factor"), spec_.rope.factor);
  }

  // Norms and biases, and positions that are added, keep their precision, as llama.cpp's converter has it.
  const gguf_type &type_of(const parameter_slot &slot, const std::string &name) const {
    const bool exact = slot.shape.size() < 2 || name == "position_embd.weight";
    return exact ? *find_gguf_type("F32") : gguf_type_for_rows(*type_, slot.shape.back());
  }

  void tensor(const parameter_slot &slot) {
    const std::string name = gguf_tensor_name(*find_family(spec_.model_type), slot.name);
    const at::Tensor values = model_.flat.detach().narrow(0, slot.offset, slot.count());
    const auto order =
        std::make_shared<const std::vector<std::int64_t>>(gguf_row_order(spec_, slot.name, row_->permuted));
    const auto rows = order->empty() ? (slot.shape.size() > 1 ? slot.shape.front() : 1)
                                     : static_cast<std::int64_t>(order->size());
    const std::int64_t width = slot.count() / rows;
    if (slot.shape.size() == 1 && !order->empty()) return bias(slot, name, values, *order);
    to_.tensor(name, slot.shape, type_of(slot, name), [=](std::int64_t first, std::int64_t count, float *to) {
      for (std::int64_t row = first; row < first + count; ++row) {
        const auto here = order->empty() ? row : (*order)[static_cast<std::size_t>(row)];
        std::memcpy(to + (row - first) * width, values.data_ptr<float>() + here * width,
                    sizeof(float) * static_cast<std::size_t>(width));
      }
    });
  }

  // One row, whose numbers change places.
  void bias(const parameter_slot &slot, const std::string &name, const at::Tensor &values,
            std::vector<std::int64_t> order) {
    to_.tensor(name, slot.shape, *find_gguf_type("F32"),
               [values, order = std::move(order)](std::int64_t, std::int64_t, float *to) {
                 for (std::size_t i = 0; i < order.size(); ++i) to[i] = values.data_ptr<float>()[order[i]];
               });
  }

  // Llama 3's rule is not a key of llama.cpp: the factors themselves are in the file.
  void rope_factors() {
    model_spec plain = spec_;
    plain.rope = {};
    auto factors = rotary_frequencies(plain);
    const auto scaled = rotary_frequencies(spec_);
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] /= scaled[i];
    to_.tensor(
        "rope_freqs.weight", {static_cast<std::int64_t>(factors.size())}, *find_gguf_type("F32"),
        [factors](std::int64_t, std::int64_t, float *to) { std::copy(factors.begin(), factors.end(), to); });
  }

  const fs::path &file_;
  const checkpoint &model_;
  const model_spec &spec_;
  const fs::path &place_;
  const gguf_type *type_ = nullptr;
  int number_ = 0;
  const gguf_architecture *row_ = nullptr;
  gguf_writer to_;
};

}  // namespace

void export_gguf(const fs::path &file, const checkpoint &model, const fs::path &place,
                 const std::string &type) {
  gguf_exporting(file, model, place, type).write();
}

}  // namespace slipstream

#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/arithmetic/weight_format.hpp"
#include "models/network/kept_rows.hpp"
#include "models/network/layer_residency.hpp"
#include "models/network/operations.hpp"
#include "models/network/spec.hpp"
#include "models/types.hpp"

namespace slipstream {

/// Where one parameter lies in the flat buffer.
struct parameter_slot {
  /// matrix: [out, in]; table: an embedding; gain: a norm's weight; offset: a bias.
  enum class role { table, matrix, gain, bias };

  std::string name;  ///< Hugging Face name, e.g. "model.layers.0.self_attn.q_proj.weight"
  std::vector<std::int64_t> shape;
  role kind = role::matrix;
  bool stored_transposed = false;  ///< files hold a matrix as [in, out]
  std::int64_t offset = 0;

  std::int64_t count() const;
  /// As files hold it.
  std::vector<std::int64_t> stored_shape() const;
};

/// The parameters of a spec in a fixed order, and their total count in elements.
std::vector<parameter_slot> parameter_layout(const model_spec &spec);
std::int64_t parameter_count(const model_spec &spec);

/// Fresh parameters [parameter_count]: normal(0, initializer_range), norms 1, biases 0, from a counter-based
/// stream keyed by (seed, parameter name), so they do not depend on order, threads or device.
at::Tensor initial_parameters(const model_spec &spec, std::uint64_t seed);

/// Adapter parameters in a fixed order, named as PEFT names them. A score head is among them: it trains
/// whole.
std::vector<parameter_slot> adapter_layout(const model_spec &spec, const adapter_spec &adapter);
std::int64_t adapter_count(const model_spec &spec, const adapter_spec &adapter);
/// Fresh adapters: A uniform within 1/sqrt(in) as PEFT draws it, B zero, the score head as `base` has it.
/// Throws input_error when a target names no matrix.
at::Tensor initial_adapter(const model_spec &spec, const adapter_spec &adapter, const at::Tensor &base,
                           std::uint64_t seed);
/// The parameters [parameter_count] that compute what base and adapter do.
at::Tensor merge_adapter(const model_spec &spec, const at::Tensor &base, const adapter_spec &adapter,
                         const at::Tensor &values);

/// N rows of queries [heads,head_dim], keys and values [kv_heads,head_dim] in plain memory, each row `stride`
/// floats behind the one before.
struct plain_rows {
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  std::int64_t stride = 0, rows = 0, heads = 0, kv_heads = 0, head_dim = 0;
};

/// How the rows' queries meet keys: a causal padded batch (training) or a paged cache (decoding).
class attention {
 public:
  virtual ~attention() = default;
  /// q [N,H,D], k and v [N,KV,D] of the N rows being computed, rotary already applied; returns [N,H,D].
  /// Queries see the last `window` tokens, their own included; 0: all.
  virtual at::Tensor attend(std::int64_t layer, std::int64_t window, const at::Tensor &q, const at::Tensor &k,
                            const at::Tensor &v) = 0;
  /// The same without gradients, on the CPU in float32: out[N,H*D], dense. Only where takes_rows() says so;
  /// throws logic_error elsewhere.
  virtual bool takes_rows() const { return false; }
  virtual void attend_rows(std::int64_t layer, std::int64_t window, const plain_rows &in, float *out);
  /// A copy for a backward pass that computes layers again. Throws logic_error where there is none.
  virtual std::shared_ptr<attention> copy() const;
};

/// A stretch of the flat buffer that has memory of its own.
struct parameter_piece {
  std::int64_t first = 0;  ///< in the order of parameter_layout()
  at::Tensor values;       ///< [n]
  at::Tensor gradient{};   ///< [n]; undefined where nothing trains
};
/// Where each layer's parameters lie in the flat buffer: {first, count}.
std::vector<std::pair<std::int64_t, std::int64_t>> layer_ranges(const model_spec &spec);

/// One transformer, sampler and learner alike: a spec and views into one flat buffer of parameters.
/// Not thread-safe while training; any number of threads may run an instance whose buffer nobody writes.
class transformer {
 public:
  /// Views `flat` [parameter_count(spec)]; never copies it.
  transformer(model_spec spec, at::Tensor flat, numerics mode);
  /// With adapters `values` [adapter_count]; `flat` stays as it is.
  transformer(model_spec spec, at::Tensor flat, adapter_spec adapter, at::Tensor values, numerics mode);

  /// Of pieces that follow each other without a gap and cut no slot, each layer one of them. Layers are
  /// entered and left; what is outside of them must be there during a whole pass. There is no flat() or
  /// trainable().
  transformer(model_spec spec, const std::vector<parameter_piece> &pieces,
              std::shared_ptr<layer_residency> residency, numerics mode);

  const model_spec &spec() const;
  numerics mode() const;
  /// Undefined in pieces.
  const at::Tensor &flat() const;
  /// Null without adapters.
  const adapter_spec *adapter() const;
  /// What a learner trains and publishes: the adapters where there are any, else all parameters.
  const at::Tensor &trainable() const;
  std::vector<parameter_slot> trainable_layout() const;
  /// The same network over other values of trainable(); what does not train is shared.
  transformer with_trainable(at::Tensor values) const;

  /// Makes every trainable parameter a leaf whose gradient accumulates into `flat_gradient`.
  void train_into(const at::Tensor &flat_gradient);

  /// Rearranges the weights for passes without gradients (a copy of them), on the CPU in float32; does
  /// nothing elsewhere, nor the second time. The buffer must never change afterwards.
  void pack() const;
  /// The same network whose matrices are rounded to `format` in passes without gradients; embeddings, norms,
  /// biases and adapters stay as they are. Packs them. Throws input_error where our kernels do not compute.
  transformer packed_in(arithmetic::weight_format format) const;

  /// Final hidden states [N, hidden] (after the last norm) of N tokens; ids and positions [N] int64.
  at::Tensor hidden(const at::Tensor &ids, const at::Tensor &positions, attention &how) const;
  /// Logits [N, vocab] of hidden states [N, hidden].
  at::Tensor logits(const at::Tensor &hidden_states) const;
  /// The same into memory that several calls share, whose end the result must not outlive: fresh memory of
  /// this size costs a tenth of a decode step.
  at::Tensor logits(const at::Tensor &hidden_states, std::vector<float> &room) const;
  /// log softmax(logits * scale)[ids] [N] of hidden states [N, hidden]; ids [N] int64. Rows with kept tokens
  /// are over these alone; none: `kept` is empty.
  ops::chosen_scores logprobs(const at::Tensor &hidden_states, const at::Tensor &ids, double scale,
                              const kept_rows &kept = {}, bool with_entropy = false) const;
  /// Scores [N] of hidden states [N, hidden]; the spec must have labels = 1.
  at::Tensor scores(const at::Tensor &hidden_states) const;

 private:
  struct state;
  std::shared_ptr<const state> state_;
};

}  // namespace slipstream

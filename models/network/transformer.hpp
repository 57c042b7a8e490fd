#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/network/spec.hpp"
#include "models/types.hpp"

namespace slipstream {

/// Where one parameter lies in the flat buffer.
struct parameter_slot {
  std::string name;  ///< Hugging Face name, e.g. "model.layers.0.self_attn.q_proj.weight"
  std::vector<std::int64_t> shape;
  std::int64_t offset = 0;
};

/// The parameters of a spec in a fixed order, and their total count in elements.
std::vector<parameter_slot> parameter_layout(const model_spec &spec);
std::int64_t parameter_count(const model_spec &spec);

/// Fresh parameters [parameter_count]: normal(0, initializer_range), norms 1, biases 0, from a counter-based
/// stream keyed by (seed, parameter name), so they do not depend on order, threads or device.
at::Tensor initial_parameters(const model_spec &spec, std::uint64_t seed);

/// How the rows' queries meet keys: a causal padded batch (training) or a paged cache (decoding).
class attention {
 public:
  virtual ~attention() = default;
  /// q [N,H,D], k and v [N,KV,D] of the N rows being computed, rotary already applied; returns [N,H,D].
  virtual at::Tensor attend(std::int64_t layer, const at::Tensor &q, const at::Tensor &k,
                            const at::Tensor &v) = 0;
};

/// One transformer, sampler and learner alike: a spec and views into one flat buffer of parameters.
/// Not thread-safe while training; any number of threads may run an instance whose buffer nobody writes.
class transformer {
 public:
  /// Views `flat` [parameter_count(spec)]; never copies it.
  transformer(model_spec spec, at::Tensor flat, numerics mode);

  const model_spec &spec() const;
  numerics mode() const;
  const at::Tensor &flat() const;

  /// Makes every parameter a leaf whose gradient accumulates into `flat_gradient` [parameter_count].
  void train_into(const at::Tensor &flat_gradient);

  /// Final hidden states [N, hidden] (after the last norm) of N tokens; ids and positions [N] int64.
  at::Tensor hidden(const at::Tensor &ids, const at::Tensor &positions, attention &how) const;
  /// Logits [N, vocab] of hidden states [N, hidden].
  at::Tensor logits(const at::Tensor &hidden_states) const;
  /// Scores [N] of hidden states [N, hidden]; the spec must have labels = 1.
  at::Tensor scores(const at::Tensor &hidden_states) const;

 private:
  struct state;
  std::shared_ptr<const state> state_;
};

}  // namespace slipstream

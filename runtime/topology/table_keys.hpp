#pragma once

#include <algorithm>

#include "runtime/topology/table_fields.hpp"
#include "runtime/topology/topology.hpp"

/// The keys of the tables whose values need no reading of their own, in the order in which they are written.
/// `f` is a table_reader or a table_writer.
namespace slipstream {

void run_keys(auto &f, auto &run) {
  f.required_text("name", run.name);
  f.integer("seed", run.seed, 0);
  f.required_integer("updates", run.updates, 1, 1'000'000'000);
  f.text("folder", run.folder);
  f.integer("threads", run.threads, 0, 4096);
  f.integer("checkpoint_every", run.checkpoint_every, 0, 1'000'000'000);
  f.integer("stall_after", run.stall_after, 1, 86'400);
  f.choice("when_stalled", run.restart_stalled, words<bool>{{"restart", true}, {"stop", false}});
  f.choice("numerics", run.numerics, words<numerics>{{"fast", numerics::fast}, {"exact", numerics::exact}});
  f.text_if_any("date", run.date);
}

void data_keys(auto &f, auto &data) {
  f.text("make", data.make);
  f.otherwise(data.folder, data.make.empty() ? std::string() : "data/" + data.make);
  f.text("folder", data.folder);
  f.integer("seed", data.seed, 0);
}

/// SwiGLU has three matrices where a plain layer of 4 d has two: 8/3 d, rounded up to a multiple of 8.
inline std::int64_t inner_size(const model_spec &spec) {
  return spec.activation == activation_kind::silu_gated ? (spec.hidden_size * 8 / 3 + 7) / 8 * 8
                                                        : 4 * spec.hidden_size;
}

/// A fresh network, once its architecture is known.
void network_keys(auto &f, auto &spec) {
  f.required_integer("hidden_size", spec.hidden_size, 1, 1 << 17);
  f.required_integer("layers", spec.layers, 1, 1024);
  f.required_integer("heads", spec.heads, 1, 1 << 12);
  f.otherwise(spec.kv_heads, spec.heads);
  f.integer("kv_heads", spec.kv_heads, 1, spec.heads);
  f.otherwise(spec.head_dim,
              std::max<std::int64_t>(1, spec.hidden_size / std::max<std::int64_t>(1, spec.heads)));
  f.integer("head_dim", spec.head_dim, 1, 1 << 14);
  f.otherwise(spec.intermediate_size, inner_size(spec));
  f.integer("intermediate_size", spec.intermediate_size, 1, 1 << 20);
  f.otherwise(spec.max_positions, std::int64_t{256});
  f.integer("max_positions", spec.max_positions, 1, 1 << 24);
  f.otherwise(spec.tied_embeddings, true);
  f.flag("tied_embeddings", spec.tied_embeddings);
  f.number("norm_eps", spec.norm_eps, 0.0, 1.0);
  if (spec.positions == position_kind::rotary) f.number("rope_theta", spec.rope_theta, 1.0);
  f.number("initializer_range", spec.initializer_range, 0.0, 10.0);
}

void lora_keys(auto &f, auto &lora) {
  f.required_integer("rank", lora.rank, 1, 4096);
  f.otherwise(lora.alpha, 2.0 * static_cast<double>(lora.rank));
  f.number("alpha", lora.alpha, 1e-6);
  f.flag("rank_stabilised", lora.rank_stabilised);
  f.texts("targets", lora.targets);
}

void head_key(auto &f, auto &model) {
  f.choice("head", model.labels, words<std::int64_t>{{"tokens", 0}, {"score", 1}});
}

}  // namespace slipstream

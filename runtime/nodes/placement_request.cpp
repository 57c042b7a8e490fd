#include "runtime/nodes/placement_request.hpp"

#include <iterator>

#include "runtime/journal/field_forms.hpp"

namespace slipstream {

void fields(auto &f, of<model_spec> auto &x) {
  constexpr auto unknown = "a model of an unknown kind";
  f(x.model_type, x.vocab_size, x.hidden_size, x.intermediate_size, x.layers, x.heads, x.kv_heads, x.head_dim,
    x.max_positions, as::one_up_to(x.norm, norm_kind::layer, unknown),
    as::one_up_to(x.positions, position_kind::learned, unknown),
    as::one_up_to(x.activation, activation_kind::gelu_tanh, unknown), x.norm_eps, x.rope_theta,
    as::one_up_to(x.rope.type, rope_scaling::kind::llama3, unknown), x.rope.factor, x.rope.low_freq_factor,
    x.rope.high_freq_factor, x.rope.original_max_positions, x.tied_embeddings, x.qkv_bias, x.output_bias,
    x.mlp_bias, x.qk_norm, x.windows, x.labels, x.bos_token, x.eos_tokens, x.pad_token, x.initializer_range);
}

namespace {

constexpr std::int64_t greatest_size = std::int64_t{1} << 24, most_layers = 1024;  // as in read_spec()

void require_size(bool possible) {
  if (!possible) throw run_error("a model of an impossible size");
}

/// Looks at every size in a list of fields.
struct possible_sizes {
  void operator()(const auto &...each) { (check(each), ...); }
  static void check(const auto &) {}
  static void check(const std::int64_t &size) { require_size(size >= -1 && size <= greatest_size); }
};

void require_possible(const model_spec &spec) {
  possible_sizes sizes;
  fields(sizes, spec);
  require_size(spec.layers <= most_layers &&
               (spec.windows.empty() || std::ssize(spec.windows) == spec.layers));
}

}  // namespace

void fields(auto &f, of<adapter_spec> auto &x) {
  f(x.rank, x.alpha, x.rank_stabilised, x.targets);
}
void fields(auto &f, of<transferred_model> auto &x) {
  f(x.name, x.spec, as::checked([&] { require_possible(x.spec); }), x.text, x.adapter, x.moves,
    x.first_version);
}
void fields(auto &f, of<endpoint> auto &x) {
  f(x.host, x.port);
}
void fields(auto &f, of<placement_request> auto &x) {
  f(x.label, x.actor, x.topology, x.weights, x.models, x.threads, x.relay, x.machine);
}

std::string base_stream(const std::string &model) {
  return model + "/base";
}

std::string initial_stream(const std::string &model) {
  return model + "/initial";
}

std::string encode_order(const placement_request &order) {
  return write_fields(order);
}

placement_request decode_order(std::string_view bytes) {
  return read_fields<placement_request>(bytes, "an order is longer than what it holds");
}

}  // namespace slipstream

#include "runtime/nodes/placement_request.hpp"

#include <iterator>

#include "models/error.hpp"
#include "runtime/journal/bytes.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t greatest_size = std::int64_t{1} << 24, most_layers = 1024;  // as in read_spec()

/// One list of a spec's fields for both directions.
template <class Spec, class Field>
void fields(Spec &spec, Field each) {
  each(spec.model_type);
  each(spec.vocab_size);
  each(spec.hidden_size);
  each(spec.intermediate_size);
  each(spec.layers);
  each(spec.heads);
  each(spec.kv_heads);
  each(spec.head_dim);
  each(spec.max_positions);
  each(spec.norm);
  each(spec.positions);
  each(spec.activation);
  each(spec.norm_eps);
  each(spec.rope_theta);
  each(spec.rope.type);
  each(spec.rope.factor);
  each(spec.rope.low_freq_factor);
  each(spec.rope.high_freq_factor);
  each(spec.rope.original_max_positions);
  each(spec.tied_embeddings);
  each(spec.qkv_bias);
  each(spec.output_bias);
  each(spec.mlp_bias);
  each(spec.qk_norm);
  each(spec.windows);
  each(spec.labels);
  each(spec.bos_token);
  each(spec.eos_tokens);
  each(spec.pad_token);
  each(spec.initializer_range);
}

struct put {
  byte_writer &out;
  void operator()(const std::string &value) { out.text(value); }
  void operator()(std::int64_t value) { out.number(value); }
  void operator()(double value) { out.put(value); }
  void operator()(bool value) { out.put(static_cast<std::uint8_t>(value)); }
  void operator()(const std::vector<std::int64_t> &value) { out.numbers(value); }
  template <class Enum>
  std::enable_if_t<std::is_enum_v<Enum>> operator()(Enum value) {
    out.put(static_cast<std::uint8_t>(value));
  }
};

constexpr int greatest_kind(norm_kind) {
  return static_cast<int>(norm_kind::layer);
}
constexpr int greatest_kind(position_kind) {
  return static_cast<int>(position_kind::learned);
}
constexpr int greatest_kind(activation_kind) {
  return static_cast<int>(activation_kind::gelu_tanh);
}
constexpr int greatest_kind(rope_scaling::kind) {
  return static_cast<int>(rope_scaling::kind::llama3);
}

struct take {
  byte_reader &in;
  void operator()(std::string &value) { value = in.text(); }
  void operator()(std::int64_t &value) {
    value = in.number();
    if (value < -1 || value > greatest_size) throw run_error("a model of an impossible size");
  }
  void operator()(double &value) { value = in.get<double>(); }
  void operator()(bool &value) { value = in.get<std::uint8_t>() != 0; }
  void operator()(std::vector<std::int64_t> &value) { value = in.numbers<std::int64_t>(); }
  template <class Enum>
  std::enable_if_t<std::is_enum_v<Enum>> operator()(Enum &value) {
    const auto number = in.get<std::uint8_t>();
    if (number > greatest_kind(value)) throw run_error("a model of an unknown kind");
    value = static_cast<Enum>(number);
  }
};

void write(byte_writer &out, const transferred_model &model) {
  out.text(model.name);
  fields(model.spec, put{out});
  out.count(model.text.size());
  for (const auto &[name, bytes] : model.text) {
    out.text(name);
    out.text(bytes);
  }
  out.put(static_cast<std::uint8_t>(model.adapter.has_value()));
  if (model.adapter) {
    out.number(model.adapter->rank);
    out.put(model.adapter->alpha);
    out.put(static_cast<std::uint8_t>(model.adapter->rank_stabilised));
    out.count(model.adapter->targets.size());
    for (const auto &target : model.adapter->targets) out.text(target);
  }
  out.put(static_cast<std::uint8_t>(model.moves));
  out.number(model.first_version);
}

void read(byte_reader &in, transferred_model &model) {
  model.name = in.text();
  fields(model.spec, take{in});
  const auto layers = model.spec.layers;
  if (layers > most_layers || (!model.spec.windows.empty() && std::ssize(model.spec.windows) != layers))
    throw run_error("a model of an impossible size");
  for (auto left = in.items(2); left > 0; --left) {
    auto &[name, bytes] = model.text.emplace_back();
    name = in.text();
    bytes = in.text();
  }
  if (in.get<std::uint8_t>() != 0) {
    auto &adapter = model.adapter.emplace();
    adapter.rank = in.number();
    adapter.alpha = in.get<double>();
    adapter.rank_stabilised = in.get<std::uint8_t>() != 0;
    for (auto left = in.items(1); left > 0; --left) adapter.targets.push_back(in.text());
  }
  model.moves = in.get<std::uint8_t>() != 0;
  model.first_version = in.number();
}

}  // namespace

std::string base_stream(const std::string &model) {
  return model + "/base";
}

std::string initial_stream(const std::string &model) {
  return model + "/initial";
}

std::string encode_order(const placement_request &order) {
  byte_writer out;
  out.text(order.label);
  out.text(order.actor);
  out.text(order.topology);
  out.text(order.weights.host);
  out.put(order.weights.port);
  out.count(order.models.size());
  for (const auto &model : order.models) write(out, model);
  out.number(order.threads);
  out.put(static_cast<std::uint8_t>(order.relay));
  out.text(order.machine);
  return out.take();
}

placement_request decode_order(std::string_view bytes) {
  byte_reader in(bytes);
  placement_request order;
  order.label = in.text();
  order.actor = in.text();
  order.topology = in.text();
  order.weights.host = in.text();
  order.weights.port = in.get<std::uint16_t>();
  for (auto left = in.items(1); left > 0; --left) read(in, order.models.emplace_back());
  order.threads = in.number();
  order.relay = in.get<std::uint8_t>() != 0;
  order.machine = in.text();
  if (!in.at_end()) throw run_error("an order is longer than what it holds");
  return order;
}

}  // namespace slipstream

#include "runtime/kinds/sampler_keys.hpp"

#include "runtime/kinds/kinds.hpp"

#include <fmt/format.h>

namespace slipstream {
namespace {

sampler_keys read_sampler(settings &s) {
  constexpr std::int64_t most = std::int64_t{1} << 24;  // no model's context is longer
  sampler_keys keys;
  keys.model = s.required_text("model");
  keys.group = s.integer("group", 1, 1, 4096);
  keys.max_new_tokens = s.integer("max_new_tokens", 16, 1, most);
  keys.min_new_tokens = s.integer("min_new_tokens", 0, 0, most);
  if (keys.min_new_tokens > keys.max_new_tokens)
    s.fail("min_new_tokens", fmt::format("min_new_tokens = {} is above max_new_tokens = {}; lower it",
                                         keys.min_new_tokens, keys.max_new_tokens));
  keys.temperature = s.number("temperature", 1.0, 1e-3, 100.0);
  keys.top_k = s.integer("top_k", 0, 0, most);
  keys.top_p = s.number("top_p", 1.0, 1e-6, 1.0);
  keys.min_p = s.number("min_p", 0.0, 0.0, 1.0);
  keys.slots = s.integer("slots", 64, 1, 65536);
  keys.replicas = s.integer("replicas", 1, 1, 1024);
  keys.threads = s.integer("threads", 1, 1, 1024);
  const auto weights = s.choice("weights", {"float32", "bfloat16", "int8"});
  if (weights == "bfloat16") keys.weights = arithmetic::weight_format::bfloat16;
  if (weights == "int8") keys.weights = arithmetic::weight_format::int8;
  return keys;
}

void tell_sampler(const sampler_keys &keys, actor_facts &facts) {
  facts.model = keys.model;
  facts.follows = true;
  facts.threads = keys.threads;
  facts.replicas = keys.replicas;
  facts.group = keys.group;
  facts.max_new_tokens = keys.max_new_tokens;
  facts.temperature = keys.temperature;
  facts.rounds_weights = keys.weights != arithmetic::weight_format::float32;
}

}  // namespace

kind_row sampler_row() {
  kind_row row;
  row.name = "sampler";
  row.summary = "draws answers to prompts from a model, batching continuously";
  row.ports.accepts = {port::examples};
  row.ports.gives = port::rollouts;
  row.placeable = true;
  row.read = reader(read_sampler, tell_sampler);
  return row;
}

std::vector<kind_row> sampler_rows() {
  return {sampler_row()};
}

}  // namespace slipstream

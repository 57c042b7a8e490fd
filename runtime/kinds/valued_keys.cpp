#include "runtime/kinds/valued_keys.hpp"

#include "runtime/kinds/kinds.hpp"

namespace slipstream {
namespace {

gae_keys read_gae(settings &s, const actor_config &config) {
  gae_keys keys;
  auto &options = keys.options;
  options.gamma = s.number("gamma", options.gamma, 0, 1);
  options.lambda = s.number("lambda", options.lambda, 0, 1);
  options.kl_in_reward = s.number("kl_in_reward", 0, 0);
  keys.whiten = s.flag("whiten", true);
  keys.weights = read_weights(s, config);
  return keys;
}

vtrace_keys read_vtrace(settings &s, const actor_config &config) {
  vtrace_keys keys;
  auto &options = keys.options;
  options.gamma = s.number("gamma", options.gamma, 0, 1);
  options.bounds.rho = s.number("rho", options.bounds.rho, 0);
  options.bounds.c = s.number("c", options.bounds.c, 0);
  options.bounds.pg_rho = s.number("pg_rho", options.bounds.pg_rho, 0);
  options.kl_in_reward = s.number("kl_in_reward", 0, 0);
  keys.whiten = s.flag("whiten", true);
  keys.weights = read_weights(s, config);
  return keys;
}

kind_row valued(std::string name, std::string summary) {
  return joiner(std::move(name), std::move(summary), {port::scores, port::values, port::logprobs},
                {port::scores, port::values});
}

}  // namespace

kind_row gae_row() {
  auto row =
      valued("advantage.gae", "advantages and returns of every token by a critic's values: arXiv:1506.02438");
  row.read = reader(read_gae);
  return row;
}

kind_row vtrace_row() {
  auto row =
      valued("advantage.vtrace",
             "what V-trace makes advantages and returns of when the batch is trained on: arXiv:1802.01561");
  row.read = reader(read_vtrace);
  return row;
}

std::vector<kind_row> valued_rows() {
  return {gae_row(), vtrace_row()};
}

}  // namespace slipstream

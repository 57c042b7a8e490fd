// A program of its own that adds an order of consumption: of the groups that have finished, those with the
// shortest answers are trained on first, as far as everything else can still meet its deadline. A topology
// names it like the orders that are built in, and its promise is derived, checked and asserted like theirs.
#include <ATen/core/Tensor.h>
#include <stdlib.h>

#include <algorithm>
#include <caf/all.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "actors/preflight.hpp"
#include "actors/run.hpp"
#include "actors/threads.hpp"
#include "runtime/topology/topology.hpp"

using namespace slipstream;

const char *const topology_text = R"(
run = { name = "shortest-first", updates = 24 }
schedule = { batch = 32, max_staleness = 2, order = "shortest_first" }
models.policy = { architecture = "llama", alphabet = "abcdefgh0123456789=", hidden_size = 32, layers = 1, heads = 2 }
[actors]
prompts = { kind = "loader", dataset = "set by the program" }
sampler = { kind = "sampler", takes = "prompts", model = "policy", group = 4, max_new_tokens = 24 }
near = { kind = "scorer.edit_similarity", takes = "sampler" }
advantage = { kind = "advantage.grpo", takes = "near" }
learner = { kind = "learner", takes = "advantage", model = "policy", loss = "decoupled_ppo", learning_rate = 1e-2 }
)";

std::size_t length_of(const group_pool &pool, std::uint64_t id) {
  std::size_t tokens = 0;
  for (const auto &answer : pool.in_flight().at(id).group->samples) tokens += answer.tokens.size();
  return tokens;
}

/// A pure function of what is in flight: which finished groups make the next batch.
batch_choice shortest_first(const group_pool &pool, const order_state &state) {
  auto finished = pool.by_arrival();
  std::stable_sort(finished.begin(), finished.end(),
                   [&](std::uint64_t a, std::uint64_t b) { return length_of(pool, a) < length_of(pool, b); });
  batch_choice choice;
  std::set<std::uint64_t> taken;
  for (const auto id : finished) {
    if (static_cast<std::int64_t>(taken.size()) == pool.groups_per_batch()) break;
    taken.insert(id);
    const auto left = pool.groups_per_batch() - static_cast<std::int64_t>(taken.size());
    if (pool.feasible(state.version, taken, left, state.late_after))
      choice.take.push_back(id);
    else
      taken.erase(id);
  }
  return choice;
}

order_row shortest_first_row() {
  order_row row;
  row.name = "shortest_first";
  row.summary = "the shortest finished answers first";
  row.choose = shortest_first;
  row.overtakes = true;
  // Whatever is chosen, all that is in flight stays feasible: any lead up to the deadline keeps the promise.
  row.meets_deadlines = true;
  row.lead = [](const schedule_rules &rules, std::int64_t) {
    const auto deadline = rules.late_after.value_or(rules.max_staleness);
    return std::pair{std::max<std::int64_t>(deadline - 1, 0), std::string("one version of room to overtake")};
  };
  return row;
}

int main(int, char **argv) {
  set_thread_environment(argv);
  auto folder = (std::filesystem::temp_directory_path() / "slipstream-order-XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  std::ofstream(folder + "/prompts.jsonl") << "{\"prompt\": \"bad=\", \"answer\": \"dab\"}\n"
                                           << "{\"prompt\": \"cafe=\", \"answer\": \"efac\"}\n";
  registry kinds;
  register_builtin(kinds);
  kinds.add(shortest_first_row());
  auto document = parse_document(topology_text, "order.cpp");
  apply_override(document, "run.folder=\"" + folder + "\"");
  apply_override(document, "actors.prompts.dataset=\"" + folder + "/prompts.jsonl\"");
  preflight plan(make_topology(document, "order.cpp"), kinds);
  plan.verify();
  std::cout << "lead " << plan.contract().lead.most << ": " << plan.contract().why << '\n';
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  const auto summary = run_topology(system, plan, {});
  std::cout << summary.dump(2) << '\n';
  std::filesystem::remove_all(folder);
  const bool kept = summary.at("staleness_max") <= summary.at("staleness_bound");
  return kept ? summary.at("exit_code").get<int>() : 1;
}

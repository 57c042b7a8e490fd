// A program of its own that embeds a training run. It adds two kinds of actor to the registry, a scorer and a
// watcher of weights, runs a small asynchronous GRPO on the actors of its own system, and prints the summary.
#include <ATen/core/Tensor.h>
#include <stdlib.h>

#include <caf/all.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "actors/context.hpp"
#include "actors/run.hpp"
#include "actors/threads.hpp"
#include "runtime/topology/topology.hpp"

using namespace slipstream;

const char *const topology_text = R"(
run = { name = "embedded", updates = 24 }
schedule = { batch = 64, max_staleness = 1 }
models.policy = { architecture = "llama", alphabet = "abcdefgh0123456789=", hidden_size = 32, layers = 1, heads = 2 }
[actors]
prompts = { kind = "loader", dataset = "set by the program" }
sampler = { kind = "sampler", takes = "prompts", model = "policy", group = 8, max_new_tokens = 8 }
digits = { kind = "scorer.share", takes = "sampler", of = "0123456789" }
advantage = { kind = "advantage.grpo", takes = "digits" }
learner = { kind = "learner", takes = "advantage", model = "policy", loss = "decoupled_ppo", learning_rate = 1e-2 }
watcher = { kind = "watcher", takes = "learner" }
)";

/// Scores an answer by the share of its characters that are among `wanted`.
scorer_actor::behavior_type score_share(scorer_actor::pointer self, const std::string &name,
                                        const std::string &wanted, const std::vector<score_sink> &sinks) {
  fail_with_text(self);
  return {[=](const group_ptr &group) {
    auto result = std::make_shared<group_scores>(group_scores{group, name, {}});
    for (const auto &text : group->texts) {
      double hits = 0;
      for (const auto character : text) hits += wanted.find(character) == std::string::npos ? 0 : 1;
      result->scores.push_back(text.empty() ? 0 : hits / static_cast<double>(text.size()));
    }
    for (const auto &sink : sinks) self->send(sink, group_scores_ptr(result));
  }};
}

actor_kind share_kind() {
  actor_kind kind;
  kind.name = "scorer.share";
  kind.summary = "the share of an answer's characters that are among `of`";
  kind.ports.accepts = ports<rollout_sink>();
  kind.ports.gives = port_name<score_sink>::value;
  kind.read = [](actor_config &config) {
    auto s = config.settings();  // errors name file, line and column
    const auto wanted = s.required_text("of");
    s.finish();
    config.node = s.resolved();
    node_plan plan;
    plan.spawn = [wanted, name = config.name](spawn_context &context) {
      return context.own(name,
                         context.system.spawn(score_share, name, wanted, context.sinks<score_sink>(name)));
    };
    return plan;
  };
  return kind;
}

/// Gets the weights as they are published; the run ends only after it has seen the last version.
weights_sink::behavior_type watch(weights_sink::pointer self, const std::string &name, std::int64_t last,
                                  const supervisor_actor &supervisor) {
  fail_with_text(self);
  return {[=](const snapshot_ptr &published) {
    std::cout << published->version << ": |w| = " << published->model->flat().norm().item<double>() << '\n';
    if (published->version == last) self->send(supervisor, done_atom::value, name);
  }};
}

actor_kind watcher_kind() {
  actor_kind kind;
  kind.name = "watcher";
  kind.summary = "prints the norm of each version of the weights";
  kind.ports.accepts = ports<weights_sink>();
  kind.read = [](actor_config &config) {
    config.settings().finish();
    node_plan plan;
    plan.spawn = [name = config.name](spawn_context &context) {
      const auto last = context.plan.graph().run.updates;
      const weights_sink self = context.system.spawn(watch, name, last, context.services.supervisor);
      caf::anon_send(context.weights, subscribe_atom::value, self);
      context.expected.insert(name);
      return context.own(name, self);
    };
    return plan;
  };
  return kind;
}

int main(int, char **argv) {
  set_thread_environment(argv);
  auto folder = (std::filesystem::temp_directory_path() / "slipstream-embed-XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  std::ofstream(folder + "/prompts.jsonl") << "{\"prompt\": \"bad=\"}\n{\"prompt\": \"cafe=\"}\n";
  registry kinds;
  register_builtin(kinds);
  kinds.add(share_kind());
  kinds.add(watcher_kind());
  auto document = parse_document(topology_text, "embed.cpp");
  apply_override(document, "run.folder=\"" + folder + "\"");
  apply_override(document, "actors.prompts.dataset=\"" + folder + "/prompts.jsonl\"");
  preflight plan(make_topology(document, "embed.cpp"), kinds);
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  const auto summary = run_topology(system, plan, {});
  std::cout << summary.dump(2) << '\n';
  std::filesystem::remove_all(folder);
  return summary.at("exit_code").get<int>();
}

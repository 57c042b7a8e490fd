#include "actors/kinds/ranks.hpp"

#include <fmt/format.h>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>

#include "actors/nodes/links.hpp"
#include "actors/nodes/rank.hpp"
#include "actors/nodes/rank_proxy.hpp"
#include "actors/placement.hpp"
#include "models/network/place.hpp"
#include "runtime/nodes/placement_request.hpp"
#include "runtime/parallel/process_group.hpp"
#include "runtime/wire/tunnel.hpp"

namespace slipstream {
namespace {

struct complaints {
  const actor_config &self;
  [[noreturn]] void at(const std::string &key, const std::string &text) const {
    const auto *value = self.node.find(key);
    fail_at(value ? value->at : self.at, "[actors." + self.name + "] " + text);
  }
  [[noreturn]] void at_node(const std::string &text) const {
    fail_at(self.nodes.front().at, "[actors." + self.name + "] " + text);
  }
};

/// What ranks on nodes need beside what all ranks need.
void check_places(preflight &checks, const actor_config &self, const trainer_options &training) {
  const auto &graph = checks.graph();
  const complaints said{self};
  if (self.nodes.empty()) return;
  if (!self.nodes.front().name.empty())
    said.at_node(fmt::format(
        "node places its ranks in turn, and the first one leads from the run's own process; begin "
        "the list with \"\", as in node = [\"\", \"{}\"]",
        self.nodes.front().name));
  if (training.replicas == 1)
    said.at_node(
        "node places its ranks, and there is one, which runs in the run's own process; write replicas = 2 or "
        "more, or leave node out");
  if (training.objective->kind == input_kind::values &&
      samples_of(checks, *checks.givers(self).front()).of_newest_policy)
    said.at_node(
        "learns what each version of the policy is worth, and a rank on a node does not hear of "
        "them; leave node out");
  if (!graph.nodes.certificate.empty() && self.device != "cpu")
    said.at_node(
        "would have ranks on nodes that may be other machines, where NCCL connects in plain text; set device "
        "= "
        "\"cpu\", or leave node out");
  const auto parts = placed_parts(self);
  for (const auto &part : parts) {
    const auto &node = *graph.nodes.find(part.node);
    const auto ranks =
        1 + std::max_element(parts.begin(), parts.end(), [&](const auto &a, const auto &b) {
              return (a.node == part.node ? a.before : -1) < (b.node == part.node ? b.before : -1);
            })->before;
    if (node.threads > 0 && ranks * training.threads > node.threads)
      fail_at(
          node.at,
          fmt::format("[nodes.{}] threads = {} are too few for {} ranks of [actors.{}] with threads = {}, "
                      "which compute at one moment; raise it, or place fewer there",
                      node.name, node.threads, ranks, self.name, training.threads));
  }
}

/// How the run's own ranks are reached from others; none where all are of this machine.
std::shared_ptr<const tunnel_options> tunnel_of(const nodes_config &nodes) {
  if (nodes.certificate.empty()) return nullptr;
  const auto &place = nodes.weights.empty() ? nodes.listen : nodes.weights;
  tunnel_options options;
  options.security = {nodes.certificate, nodes.key, nodes.authority, {}};
  options.host = parse_endpoint(place, "[nodes]").host;
  if (host_for_others(options.host) == options.host)
    options.name = options.host;  // else as they reach us anyway
  return std::make_shared<const tunnel_options>(std::move(options));
}

std::string listed_parts(const std::vector<placed_part> &parts) {
  std::string text;
  for (const auto &part : parts)
    text += (text.empty() ? "" : ", ") + fmt::format("{} on node \"{}\"", part.label, part.node);
  return text;
}

}  // namespace

std::int64_t ranks_here(const actor_config &self, const trainer_options &training) {
  return training.replicas - static_cast<std::int64_t>(placed_parts(self).size());
}

/// The ranks of a learner compute at the same moment, each on a share of every optimizer step.
void check_ranks(preflight &checks, const actor_config &self, const trainer_options &training) {
  const auto replicas = training.replicas;
  const complaints said{self};
  check_places(checks, self, training);
  if (replicas == 1) {
    if (training.zero > 0)
      said.at("zero",
              fmt::format("zero = {} shares the {} among the replicas, and there is one; write replicas "
                          "= 2 or more, or leave zero out",
                          training.zero,
                          training.zero == 1 ? "optimizer's state" : "model and its optimizer's state"));
    return;
  }
  if (training.zero == 2)
    said.at(
        "zero",
        "zero = 2 (parts of gradients and whole parameters) is not there; write 3, which shares both, or 1");
  if (training.zero == 3 && described_model(checks, self).adapter)
    said.at("zero",
            "zero = 3 shares the parameters that train, and of a model with adapters these are small; write "
            "zero = 1");
  const auto groups = checks.graph().schedule.batch / checks.group() / training.mini_batches;
  if (replicas > groups)
    said.at("replicas",
            fmt::format("replicas = {} leaves some of them without work: an optimizer step has {} groups "
                        "([schedule] batch, divided by group and mini_batches); lower it, or raise batch",
                        replicas, groups));
  const auto here = ranks_here(self, training);
  if (const auto cores = run_cores(checks.graph()); here * training.threads > cores)
    said.at(
        "replicas",
        fmt::format(
            "replicas = {} with threads = {} compute at one moment, and the run has {} cores{}; lower it, "
            "or set threads in [run]",
            replicas, training.threads, cores,
            here < replicas ? fmt::format(" for the {} that are not on nodes", here) : ""));
  try {
    require_groups(self.device);
    for (std::int64_t rank = 0; rank < here; ++rank) require_device(rank_device(self.device, rank));
  } catch (const input_error &problem) {
    said.at("replicas", problem.what());
  }
}

void place_ranks(spawn_context &context, const actor_config &self, trainer_options &training) {
  const auto parts = placed_parts(self);
  if (parts.empty()) return;
  const auto &nodes = context.plan.graph().nodes;
  training.meeting = meet_here();
  training.tunnel = tunnel_of(nodes);
  std::vector<std::shared_ptr<far_rank>> ranks;
  for (const auto &part : parts) {
    const auto [proxy, rank] =
        spawn_rank_proxy(context.system, {part.label, part.node, part.index, training.replicas,
                                          nodes.timeout_ms, context.services, training.meeting});
    context.own(part.label, proxy);
    caf::anon_send(context.nodes, place_atom::value, part.label, part.label, part.node, proxy);
    training.elsewhere[part.index] = rank;
    ranks.push_back(rank);
  }
  caf::anon_send(context.nodes, lost_atom::value, self.name + " waits for its ranks: " + listed_parts(parts));
  // who does not come at all is missed by the nodes' host; this is for one that comes and gets no weights
  const auto patience = std::chrono::milliseconds(2 * nodes.patience_ms);
  const auto until = std::chrono::steady_clock::now() + patience;
  for (const auto &rank : ranks)
    while (!rank->wait_until_ready(std::chrono::milliseconds(100))) {
      if (context.interrupted && context.interrupted())
        throw interrupted_start("interrupted while " + self.name + " waited for " + rank->name());
      if (std::chrono::steady_clock::now() > until)
        throw run_error(fmt::format("{} is not ready after {} s; look into what its node says", rank->name(),
                                    patience.count() / 1000));
    }
}

caf::strong_actor_ptr spawn_placed_rank(spawn_context &context, const actor_config &self,
                                        const trainer_options &training) {
  for (const auto &part : placed_parts(self)) {
    if (part.label != context.only) continue;
    rank_setup setup;
    setup.label = part.label;
    setup.uplink = caf::actor_cast<caf::actor>(context.uplink);
    setup.recorder = context.services.recorder;
    setup.options = training;
    setup.options.tunnel = context.tunnel;
    setup.initial = context.plan.models().load(initial_stream(self.facts.model));
    setup.rank = part.index;
    setup.device = rank_device(self.device, part.before);
    return context.own(part.label, spawn_rank(context.system, std::move(setup)));
  }
  return {};
}

}  // namespace slipstream

#include "actors/learner.hpp"

#include <algorithm>
#include <chrono>

#include "actors/buffer.hpp"
#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "models/network/place.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/learning/checkpoints.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

const objective_row &read_objective(settings &s) {
  const auto name = s.required_text("loss");
  std::vector<std::string> known;
  for (const auto &row : objective_rows()) {
    // a critic and preference pairs need parts that no topology can draw yet
    if (row.kind == input_kind::values || row.kind == input_kind::preference_pairs) continue;
    if (row.name == name) return row;
    known.emplace_back(row.name);
  }
  s.fail("loss", "loss = \"" + name + "\" is not a loss." + did_you_mean(name, known) + " There are " +
                     listed(known));
}

objective_options read_loss(settings &s, const objective_row &row) {
  auto loss = row.defaults;
  loss.aggregate = parse_aggregation(
      s.choice("aggregation", {std::string(to_string(loss.aggregate)), "token_mean", "seq_mean_token_mean",
                               "seq_mean_token_sum", "seq_mean_token_sum_norm"}));
  loss.horizon = s.number("horizon", loss.horizon, 0);
  if (loss.aggregate == aggregation::seq_mean_token_sum_norm && loss.horizon <= 0)
    s.fail("horizon",
           "aggregation = \"seq_mean_token_sum_norm\" divides by horizon; write horizon = the sampler's " +
               std::string("max_new_tokens"));
  loss.clip.low = s.number("eps_low", loss.clip.low, 0);
  loss.clip.high = s.number("eps_high", loss.clip.high, 0);
  loss.dual_clip = s.number("dual_clip", loss.dual_clip, 1);
  loss.weights.cap = parse_weight_cap(
      s.choice("weight_cap", {std::string(to_string(loss.weights.cap)), "none", "truncate", "mask"}));
  loss.weights.low = s.number("weight_low", loss.weights.low, 0);
  loss.weights.high = s.number("weight_high", loss.weights.high, 0);
  loss.kl_coefficient = s.number("kl", loss.kl_coefficient, 0);
  loss.kl = parse_kl_estimator(s.choice("kl_estimator", {"k3", "k1", "k2", "k3_through"}));
  loss.entropy_coefficient = s.number("entropy", loss.entropy_coefficient, 0);
  loss.beta = s.number("beta", loss.beta, 0);
  loss.label_smoothing = s.number("label_smoothing", loss.label_smoothing, 0, 0.5);
  loss.centring = s.number("centring", loss.centring, 0);
  return loss;
}

struct learner_keys {
  trainer_options training;
  std::int64_t warmup = 0;  ///< updates
  std::int64_t threads = 1;
  bool i_know = false;
};

learner_keys read_keys(settings &s) {
  learner_keys keys;
  auto &training = keys.training;
  s.required_text("model");
  training.objective = &read_objective(s);
  training.loss = read_loss(s, *training.objective);
  training.rate.rate = s.required_number("learning_rate", 0);
  training.rate.shape = parse_schedule_shape(s.choice("decay", {"cosine", "linear", "constant"}));
  keys.warmup = s.integer("warmup", 0, 0);
  training.rate.final_ratio = s.number("final_ratio", 0.1, 0, 1);
  training.optimizer.beta1 = s.number("beta1", 0.9, 0, 1);
  training.optimizer.beta2 = s.number("beta2", 0.95, 0, 1);
  training.optimizer.weight_decay = s.number("weight_decay", 0.0, 0);
  training.max_grad_norm = s.number("max_grad_norm", 1.0, 0);
  training.micro_batch = s.integer("micro_batch", 32, 1);
  training.mini_batches = s.integer("mini_batches", 1, 1);
  training.epochs = s.integer("epochs", 1, 1);
  keys.threads = s.integer("threads", 1, 1, 1024);
  keys.i_know = s.flag("i_know", false);
  return keys;
}

/// What the loss needs must come down the graph.
void check_inputs(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto &row = *keys.training.objective;
  const auto &at = self.node.find("loss")->at;
  const auto needs = needs_of(row, keys.training.loss);
  const auto *giver = checks.givers(self).front();
  const auto said = [&](const std::string &text) {
    fail_at(at, "[actors." + self.name + "] loss = \"" + std::string(row.name) + "\" " + text);
  };
  const bool from_advantage = giver->kind.rfind("advantage.", 0) == 0;
  if (needs.advantages && !from_advantage)
    said("needs advantages; take from an advantage.* actor, not from \"" + giver->name + "\"");
  if (!needs.advantages && from_advantage)
    said("makes no use of the advantages that \"" + giver->name +
         "\" gives; use a policy loss such as decoupled_ppo");
  const bool pairs = row.kind == input_kind::score_pairs || row.kind == input_kind::preference_pairs;
  if (giver->kind == "pairs" && !pairs)
    said("does not learn from pairs; use reward_pairs, or take from another actor");
  if (needs.reference && !(from_advantage && checks.upstream(self, "reference")))
    said("with kl = " + std::to_string(keys.training.loss.kl_coefficient) +
         " needs a reference; add an actor of kind \"reference\" and name it in takes of \"" + giver->name +
         "\"");
  const bool head = row.kind == input_kind::score_pairs || row.kind == input_kind::scores;
  const auto labels = described_model(checks, self).spec.labels;
  if (head != (labels == 1))
    said(head ? "trains a score head; write head = \"score\" in [models." + text_key(self, "model") + "]"
              : "trains a language model, but [models." + text_key(self, "model") + "] has a score head");
}

void check_schedule(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto &row = *keys.training.objective;
  const auto &schedule = checks.graph().schedule;
  const auto group = checks.group();
  if (schedule.batch % group != 0)
    fail_at(schedule.at, "[schedule] batch = " + std::to_string(schedule.batch) +
                             " is not a multiple of group = " + std::to_string(group) +
                             "; groups are consumed whole");
  const bool rolls_back = std::any_of(schedule.brakes.begin(), schedule.brakes.end(),
                                      [](const auto &each) { return each.act == brake_action::roll_back; });
  if (rolls_back && checks.graph().run.checkpoint_every == 0)
    fail_at(schedule.place("brakes"),
            "[schedule] a brake rolls back to the newest checkpoint; set checkpoint_every in [run]");
  if (schedule.batch / group < keys.training.mini_batches)
    fail_at(self.at,
            "[actors." + self.name + "] mini_batches = " + std::to_string(keys.training.mini_batches) +
                " cannot be cut from a batch of " + std::to_string(schedule.batch / group) + " groups");
  if (checks.samples_own_policy() && schedule.max_staleness > 0 && row.correction == "none" && !keys.i_know)
    fail_at(self.node.find("loss")->at,
            "[actors." + self.name + "] loss = \"" + std::string(row.name) +
                "\" corrects nothing for samples of older weights, but max_staleness is " +
                std::to_string(schedule.max_staleness) +
                "; use decoupled_ppo, set max_staleness = 0, or write i_know = true here");
}

trainer_options finished_options(const preflight &plan, const actor_config &self, const learner_keys &keys) {
  auto training = keys.training;
  const auto steps = training.mini_batches * training.epochs;
  training.rate.warmup = keys.warmup * steps;
  training.rate.total = plan.graph().run.updates * steps;
  if (const auto *sampler = plan.upstream(self, "sampler"))
    training.temperature = number_key(*sampler, "temperature", 1.0);
  training.staleness_bound = plan.staleness_bound();
  const auto &rules = plan.rules();
  if (rules.lag == lag_rule::exactly && plan.samples_own_policy())
    training.exact_lag = plan.contract().lead.first;
  training.brakes = rules.brakes;
  training.keep_every = plan.graph().run.checkpoint_every;
  return training;
}

caf::strong_actor_ptr spawn_parts(spawn_context &context, const std::string &name, const learner_keys &keys) {
  const auto &graph = context.plan.graph();
  const auto &self = *graph.find_actor(name);
  const auto model = text_key(self, "model");
  const auto initial = place(context.first->model, self.device, graph.run.numerics);
  auto groups = context.plan.buffer();
  auto dials = context.plan.dials();
  if (context.resumed) {
    groups = restored_buffer(std::move(groups), context.resumed->history);
    dials = restored_dials(std::move(dials), context.resumed->history, context.paths.metrics);
    groups.set_window(dials.value("window"));
  }
  const auto group = context.plan.group();
  auto buffer =
      spawn_buffer(context.system, std::move(groups),
                   {context.ledger, context.services, group, (graph.schedule.batch_least + group - 1) / group,
                    std::chrono::nanoseconds(static_cast<std::int64_t>(graph.schedule.batch_after * 1e9))});
  context.own("buffer", buffer);
  caf::anon_send(context.ledger, subscribe_atom::value, caf::actor_cast<draw_sink>(buffer));
  learner_setup setup;
  setup.share = context.share(name, keys.threads);
  setup.core = std::make_shared<trainer>(finished_options(context.plan, self, keys), *initial);
  if (context.resumed && !context.resumed->checkpoint.empty())
    resume_from(context.resumed->checkpoint, *setup.core);
  const auto &described = context.plan.models().describe(model);
  setup.text = described.text;
  if (described.adapter) setup.base = described.adapter->base;
  setup.buffer = buffer;
  setup.ledger = context.ledger;
  setup.weights = context.weights;
  setup.updates = graph.run.updates;
  if (context.resumed && !context.resumed->history.to_consume.empty())
    setup.published_before = context.resumed->history.to_consume.back().version;
  setup.dials = std::move(dials);
  setup.checkpoint_every = graph.run.checkpoint_every;
  setup.checkpoints = context.paths.checkpoints;
  setup.journal = context.paths.journal;
  context.learner = spawn_learner(context.system, context.detached, setup);
  context.own(name, context.learner);
  return caf::actor_cast<caf::strong_actor_ptr>(buffer);
}

}  // namespace

trainer_options learner_options(const preflight &plan) {
  const auto &self = plan.learner();
  auto s = self.settings();
  return finished_options(plan, self, read_keys(s));
}

void add_learner_kind(registry &kinds) {
  actor_kind kind;
  kind.name = "learner";
  kind.summary = "trains a model by a loss and publishes its versions";
  kind.ports.accepts = ports<sample_sink, loader_actor>();
  kind.ports.gives = port_name<weights_sink>::value;
  kind.ports.may_end_here = true;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    const auto keys = read_keys(s);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      check_inputs(checks, self, keys);
      check_schedule(checks, self, keys);
    };
    plan.spawn = [=](spawn_context &context) { return spawn_parts(context, name, keys); };
    return plan;
  };
  kinds.add(std::move(kind));
}

}  // namespace slipstream

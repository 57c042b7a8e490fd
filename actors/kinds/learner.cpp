#include "actors/learner.hpp"

#include <algorithm>
#include <chrono>

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "actors/kinds/path_buffer.hpp"
#include "actors/kinds/ranks.hpp"
#include "models/network/place.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/kinds/learner_keys.hpp"
#include "runtime/learning/checkpoints.hpp"

namespace slipstream {
namespace {

/// The first loss that is so, as a mend names it.
template <class Is>
std::string loss_that(const Is &is) {
  const auto rows = objective_rows();
  const auto found = std::find_if(rows.begin(), rows.end(), is);
  return found == rows.end() ? "another loss" : std::string(found->name);
}
std::string loss_of_kind(input_kind kind) {
  return loss_that([kind](const auto &row) { return row.kind == kind; });
}
std::string loss_with(std::string_view correction) {
  return loss_that([correction](const auto &row) { return row.correction == correction; });
}

/// A model that the learner itself asks for reference log-probabilities.
void check_reference(preflight &checks, const actor_config &self, const std::string &reference, bool needed) {
  const auto &at = self.node.find("reference")->at;
  const auto where = "[actors." + self.name + "] reference ";
  if (!needed)
    fail_at(at, where + "is of use to " + loss_of_kind(input_kind::preference_pairs) + " and " +
                    loss_of_kind(input_kind::labelled_answers) +
                    ", and to a policy loss with kl above 0; leave it out");
  if (checks.models().describe(reference).spec.labels != 0)
    fail_at(at, where + "has a score head; name a language model");
  if (checks.models().describe(reference).spec.vocab_size != described_model(checks, self).spec.vocab_size)
    fail_at(at, where + "knows other tokens than the model that is trained; give a copy of it");
}

/// What is wrong with a learner's loss where it stands.
struct loss_complaint {
  const actor_config &self;
  const objective_row &row;
  [[noreturn]] void operator()(const std::string &text) const {
    fail_at(self.node.find("loss")->at,
            "[actors." + self.name + "] loss = \"" + std::string(row.name) + "\" " + text);
  }
};

/// The samples that come down the graph must be such as the loss takes.
void check_samples(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto &row = *keys.objective;
  const auto needs = needs_of(row, keys.loss);
  const auto *giver = checks.givers(self).front();
  const auto samples = samples_of(checks, *giver);
  const loss_complaint said{self, row};
  if (needs.advantages && !samples.advantages)
    said("needs advantages; take from an advantage.* actor, not from \"" + giver->name + "\"");
  const bool values = row.kind == input_kind::values;
  if (values && !samples.returns)
    said("learns returns; take from an advantage actor that makes them of a critic's values, not from \"" +
         giver->name + "\"");
  const auto expected = needs.corrected ? row.correction : std::string_view();
  if (!values && samples.corrected_by != expected)
    said(expected.empty() ? "weights what \"" + giver->name + "\" has weighted already; write loss = \"" +
                                loss_with(samples.corrected_by) + "\""
                          : "goes on from a correction of its samples; take from an advantage." +
                                std::string(expected) + " actor, not from \"" + giver->name + "\"");
  if (!needs.advantages && samples.advantages && !values)
    said("makes no use of the advantages that \"" + giver->name + "\" gives; use a policy loss such as " +
         loss_with("decoupled"));
  const bool pairs = row.kind == input_kind::score_pairs || row.kind == input_kind::preference_pairs;
  if (samples.pairs && !pairs)
    said("does not learn from pairs; use " + loss_of_kind(input_kind::score_pairs) +
         ", or take from another actor");
}

/// So must the models that it computes with.
void check_models(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto &row = *keys.objective;
  const auto needs = needs_of(row, keys.loss);
  const auto *giver = checks.givers(self).front();
  const loss_complaint said{self, row};
  const auto &reference = keys.reference;
  if (!reference.empty()) check_reference(checks, self, reference, needs.reference);
  if (row.needs.reference && reference.empty())
    said("compares with a reference; write reference = \"NAME\", a model of [models] that stays as it is");
  const bool comes_down =
      samples_of(checks, *giver).advantages && checks.upstream(self, actor_role::reference);
  if (needs.reference && reference.empty() && !comes_down)
    said("with kl = " + std::to_string(keys.loss.kl_coefficient) +
         " needs a reference; add an actor of kind \"reference\" and name it in takes of \"" + giver->name +
         "\"");
  const bool head = trains_head(row);
  const auto labels = described_model(checks, self).spec.labels;
  if (head != (labels == 1))
    said(head ? "trains a score head; write head = \"score\" in [models." + keys.model + "]"
              : "trains a language model, but [models." + keys.model + "] has a score head");
}

/// Demonstrations beside the samples are of use to a policy.
void check_demonstrations(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto *loader = checks.demonstrations(self);
  const auto &training = keys;
  if (loader && training.objective->kind != input_kind::tokens)
    fail_at(self.takes[1].at, "[actors." + self.name + "] loss = \"" + std::string(training.objective->name) +
                                  "\" trains no language model, so that demonstrations from \"" +
                                  loader->name + "\" are of no use to it; take from one actor");
  if (loader && training.sft_batch < training.mini_batches)
    fail_at(self.at, "[actors." + self.name + "] sft_batch = " + std::to_string(training.sft_batch) +
                         " leaves some of its " + std::to_string(training.mini_batches) +
                         " mini_batches without a demonstration; raise it");
  if (loader && training.sft_weight == 0)
    fail_at(self.takes[1].at,
            "[actors." + self.name + "] takes demonstrations from \"" + loader->name +
                "\" and gives them no weight; write sft_weight = 0.1, or leave them out of takes");
  if (!loader && training.sft_weight > 0)
    fail_at(self.node.find("sft_weight")->at,
            "[actors." + self.name +
                "] sft_weight is of use where a loader gives demonstrations beside the " +
                "samples; add one to takes");
}

/// A critic of returns that the newest policy has must see every version of it.
void check_target(preflight &checks, const actor_config &self, const learner_keys &keys) {
  if (keys.objective->kind != input_kind::values ||
      !samples_of(checks, *checks.givers(self).front()).of_newest_policy)
    return;
  const auto &every = checks.rules().publish_every;
  if (every.how != schedule_number::kind::constant || every.first != 1)
    fail_at(checks.graph().schedule.position("publish_every"),
            "[schedule] publish_every must be 1: [actors." + self.name +
                "] learns what each version of the policy is worth");
}

// Samples of a policy whose weights were rounded are off-policy at any age.
void check_rounded_weights(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto &row = *keys.objective;
  if (row.kind != input_kind::tokens || row.correction != "none" || keys.allow_uncorrected) return;
  for (const auto &sampler : checks.graph().actors)
    if (sampler.facts.rounds_weights && sampler.facts.model == self.facts.model)
      fail_at(position_of(sampler, "weights"),
              "[actors." + sampler.name + "] weights rounds the policy's, and loss = \"" +
                  std::string(row.name) + "\" of [actors." + self.name +
                  "] corrects nothing for samples of other weights; use " + loss_with("decoupled") +
                  " there, sample with weights = \"float32\", or write allow_uncorrected = true there");
}

void check_schedule(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto &row = *keys.objective;
  const auto &schedule = checks.graph().schedule;
  const auto group = checks.group();
  if (schedule.batch % group != 0)
    fail_at(schedule.at, "[schedule] batch = " + std::to_string(schedule.batch) +
                             " is not a multiple of group = " + std::to_string(group) +
                             "; groups are consumed whole");
  const bool rolls_back = std::any_of(schedule.guards.begin(), schedule.guards.end(),
                                      [](const auto &each) { return each.act == guard_action::roll_back; });
  if (rolls_back && checks.graph().run.checkpoint_every == 0)
    fail_at(schedule.position("guards"),
            "[schedule] a guard rolls back to the newest checkpoint; set checkpoint_every in [run]");
  if (row.kind == input_kind::labelled_answers && schedule.batch < 2 * keys.mini_batches)
    fail_at(schedule.at, "[schedule] batch = " + std::to_string(schedule.batch) +
                             " leaves a mini-batch of [actors." + self.name +
                             "] with one answer, and kto compares it with those to other prompts; " +
                             "raise it to " + std::to_string(2 * keys.mini_batches) + " or more");
  if (schedule.batch / group < keys.mini_batches)
    fail_at(self.at, "[actors." + self.name + "] mini_batches = " + std::to_string(keys.mini_batches) +
                         " cannot be cut from a batch of " + std::to_string(schedule.batch / group) +
                         " groups");
  if (keys.start_after >= checks.graph().run.updates)
    fail_at(self.node.find("start_after")->at,
            "[actors." + self.name + "] start_after = " + std::to_string(keys.start_after) +
                " leaves none of the run's " + std::to_string(checks.graph().run.updates) +
                " updates to train in; lower it");
  check_rounded_weights(checks, self, keys);
  if (checks.samples_own_policy() && schedule.max_staleness > 0 && row.kind == input_kind::tokens &&
      row.correction == "none" && !keys.allow_uncorrected)
    fail_at(self.node.find("loss")->at,
            "[actors." + self.name + "] loss = \"" + std::string(row.name) +
                "\" corrects nothing for samples of older weights, but max_staleness is " +
                std::to_string(schedule.max_staleness) + "; use " + loss_with("decoupled") +
                ", set max_staleness = 0, or write allow_uncorrected = true here");
}

/// Of zero = 3 no device holds a whole model.
std::string initial_device(const actor_config &self, const trainer_options &training) {
  return training.zero == 3 ? "cpu" : self.device;
}

trainer_options options_of(const learner_keys &keys) {
  trainer_options training;
  training.objective = keys.objective;
  training.loss = keys.loss;
  training.interpolate = keys.interpolate;
  training.ess_scaling = keys.ess_scaling;
  training.ess_base = keys.ess_base;
  training.kl_target = keys.kl_target;
  training.kl_gain = keys.kl_gain;
  training.rate = keys.rate;
  training.optimizer = keys.optimizer;
  training.max_grad_norm = keys.max_grad_norm;
  training.sft_weight = keys.sft_weight;
  training.sft_batch = keys.sft_batch;
  training.start_after = keys.start_after;
  training.micro_batch = keys.micro_batch;
  training.mini_batches = keys.mini_batches;
  training.epochs = keys.epochs;
  training.threads = keys.threads;
  training.replicas = keys.replicas;
  training.zero = keys.zero;
  training.patience = std::chrono::seconds(keys.rank_timeout);
  return training;
}

trainer_options finished_options(preflight &plan, const actor_config &self, const learner_keys &keys) {
  auto training = options_of(keys);
  const auto steps = training.mini_batches * training.epochs;
  training.rate.warmup = keys.warmup * steps;
  training.rate.total = (plan.graph().run.updates - keys.start_after) * steps;
  if (!plan.demonstrations(self)) training.sft_batch = 0;
  training.in_step = plan.in_step(self);
  const auto samples = samples_of(plan, *plan.givers(self).front());
  training.transforms = samples.transforms;
  training.keep_zero = samples.keep_zero;
  if (samples.tell_loss) samples.tell_loss(training.loss);
  if (training.in_step) training.model_bounds = plan.model_bounds();
  for (const auto &[model, bound] : training.model_bounds)
    if (const auto *learner = plan.learner_of(model); !learner || plan.in_step(*learner))
      training.models_in_step.insert(model);  // a refreshed reference has the policy's own versions
  if (const auto *sampler = plan.upstream(self, actor_role::sampler))
    training.temperature = sampler->facts.temperature;
  if (training.in_step) training.staleness_bound = plan.staleness_bound();
  const auto &rules = plan.rules();
  if (training.in_step && rules.lag == lag_rule::exactly && plan.samples_own_policy())
    training.exact_lag = plan.contract().lead.first;
  if (&self == &plan.learner()) training.guards = rules.guards;
  if (const auto &reference = keys.reference; !reference.empty())
    training.reference =
        place(plan.models().load(reference), initial_device(self, training), plan.graph().run.numerics);
  training.keep_every = plan.graph().run.checkpoint_every;
  return training;
}

caf::strong_actor_ptr spawn_parts(spawn_context &context, const std::string &name, const learner_keys &keys) {
  auto &plan = context.plan;
  const auto &graph = plan.graph();
  const auto &self = *graph.find_actor(name);
  const bool main = &self == &plan.learner();
  auto options = finished_options(plan, self, keys);
  if (!context.only.empty()) return spawn_placed_rank(context, self, options);
  place_ranks(context, self, options);
  learner_setup setup;
  setup.model = keys.model;
  setup.initial =
      place(context.first.at(setup.model)->model, initial_device(self, options), graph.run.numerics);
  options.device = self.device;
  setup.share = context.share(name, keys.threads);
  setup.share.ranks = ranks_here(self, options);
  for (const auto &[model, bound] : options.model_bounds)
    if (!options.models_in_step.contains(model)) setup.scoring_models.push_back(context.weights_of(model));
  setup.core = std::make_shared<trainer>(options, *setup.initial);
  if (setup.core->needs_target_policy())
    setup.rules.target = plan.learned_model(), setup.scoring_models.push_back(context.weights);
  if (context.resumed && context.resumed->checkpoints.contains(name))
    resume_from(context.resumed->checkpoints.at(name), *setup.core);
  const auto &described = plan.models().describe(setup.model);
  setup.text = described.text;
  if (described.adapter) setup.base = described.adapter->base;
  setup.buffer = path_buffer(context, self);
  setup.ledger = context.ledger;
  setup.weights = context.weights_of(setup.model);
  setup.rules.demonstrations = options.sft_batch;
  // who has a pace of its own goes on until the main learner is done
  setup.rules.updates = plan.in_step(self) ? graph.run.updates : 0;
  // the others publish every version: what must wait for one may not wait longer
  if (main) setup.rules.controller = plan.controller();
  if (context.resumed) {
    setup.rules.consumed_before = context.resumed->history.learner(name).consumed;
    if (main)
      setup.rules.controller = restored_controller(std::move(setup.rules.controller),
                                                   context.resumed->history, context.paths.metrics);
  }
  setup.rules.checkpoint_every = graph.run.checkpoint_every;
  if (!context.paths.checkpoints.empty()) {
    setup.checkpoints = context.paths.of(main ? "" : name).checkpoints;
    setup.run_folder.emplace(context.paths);
  }
  setup.journal = context.paths.journal;
  context.learners[name] = spawn_learner(context.system, context.detached, setup);
  context.own(name, context.learners.at(name));
  return caf::actor_cast<caf::strong_actor_ptr>(setup.buffer);
}

}  // namespace

trainer_options learner_options(preflight &plan, const actor_config &self) {
  return finished_options(plan, self, self.keys.get<learner_keys>());
}

trainer_options learner_options(preflight &plan) {
  return learner_options(plan, plan.learner());
}

std::set<std::string> in_lockstep(const preflight &plan) {
  std::set<std::string> names;
  for (const auto *learner : plan.learners())
    if (samples_of(plan, *plan.givers(*learner).front()).of_newest_policy) names.insert(learner->name);
  return names.size() > 1 ? names : std::set<std::string>{};
}

void add_learner_kinds(registry &kinds) {
  kinds.add(kind_of(learner_row(), [](const actor_config &config) {
    const auto keys = config.keys.get<learner_keys>();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      check_samples(checks, self, keys);
      check_models(checks, self, keys);
      check_target(checks, self, keys);
      check_demonstrations(checks, self, keys);
      check_schedule(checks, self, keys);
      check_ranks(checks, self, options_of(keys));
    };
    plan.spawn = [=](spawn_context &context) { return spawn_parts(context, name, keys); };
    return plan;
  }));
}

}  // namespace slipstream

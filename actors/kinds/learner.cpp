#include "actors/learner.hpp"

#include <algorithm>
#include <chrono>

#include "actors/buffer.hpp"
#include "actors/context.hpp"
#include "actors/kinds/correction_keys.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "actors/kinds/ranks.hpp"
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
  loss.value_clip = s.number("value_clip", loss.value_clip, 0);
  return loss;
}

struct learner_keys {
  trainer_options training;
  std::int64_t warmup = 0;  ///< updates
  std::int64_t threads = 1;
  bool i_know = false;
};

learner_keys read_learner_keys(settings &s) {
  constexpr std::int64_t most = 1'000'000'000;
  learner_keys keys;
  auto &training = keys.training;
  s.required_text("model");
  training.objective = &read_objective(s);
  training.loss = read_loss(s, *training.objective);
  read_corrections(s, training);
  s.text("reference", "");
  training.rate.rate = s.required_number("learning_rate", 0);
  training.rate.shape = parse_schedule_shape(s.choice("decay", {"cosine", "linear", "constant"}));
  keys.warmup = s.integer("warmup", 0, 0, most);
  training.sft_weight = s.number("sft_weight", 0, 0);
  training.sft_batch = s.integer("sft_batch", 32, 1, most);
  training.start_after = s.integer("start_after", 0, 0, most);
  training.rate.final_ratio = s.number("final_ratio", 0.1, 0, 1);
  training.optimizer.beta1 = s.number("beta1", 0.9, 0, 1);
  training.optimizer.beta2 = s.number("beta2", 0.95, 0, 1);
  training.optimizer.weight_decay = s.number("weight_decay", 0.0, 0);
  training.max_grad_norm = s.number("max_grad_norm", 1.0, 0);
  training.micro_batch = s.integer("micro_batch", 32, 1, most);
  training.mini_batches = s.integer("mini_batches", 1, 1, most);
  training.epochs = s.integer("epochs", 1, 1, most);
  keys.threads = training.threads = s.integer("threads", 1, 1, 1024);
  training.replicas = s.integer("replicas", 1, 1, 64);
  training.zero = s.integer("zero", 0, 0, 3);
  training.patience = std::chrono::seconds(s.integer("rank_timeout", 60, 1, 86400));
  keys.i_know = s.flag("i_know", false);
  return keys;
}

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
    fail_at(at, where + "is of use to " + loss_of_kind(input_kind::preference_pairs) +
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
  const auto &row = *keys.training.objective;
  const auto needs = needs_of(row, keys.training.loss);
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
  const auto &row = *keys.training.objective;
  const auto needs = needs_of(row, keys.training.loss);
  const auto *giver = checks.givers(self).front();
  const loss_complaint said{self, row};
  const auto reference = text_key(self, "reference");
  if (!reference.empty()) check_reference(checks, self, reference, needs.reference);
  if (row.kind == input_kind::preference_pairs && reference.empty())
    said("compares with a reference; write reference = \"NAME\", a model of [models] that stays as it is");
  const bool comes_down =
      samples_of(checks, *giver).advantages && checks.upstream(self, actor_role::reference);
  if (needs.reference && reference.empty() && !comes_down)
    said("with kl = " + std::to_string(keys.training.loss.kl_coefficient) +
         " needs a reference; add an actor of kind \"reference\" and name it in takes of \"" + giver->name +
         "\"");
  const bool head =
      row.kind == input_kind::values || row.kind == input_kind::score_pairs || row.kind == input_kind::scores;
  const auto labels = described_model(checks, self).spec.labels;
  if (head != (labels == 1))
    said(head ? "trains a score head; write head = \"score\" in [models." + text_key(self, "model") + "]"
              : "trains a language model, but [models." + text_key(self, "model") + "] has a score head");
}

/// Demonstrations beside the samples are of use to a policy.
void check_demonstrations(preflight &checks, const actor_config &self, const learner_keys &keys) {
  const auto *loader = checks.demonstrations(self);
  const auto &training = keys.training;
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
  if (keys.training.objective->kind != input_kind::values ||
      !samples_of(checks, *checks.givers(self).front()).of_newest_policy)
    return;
  const auto &every = checks.rules().publish_every;
  if (every.how != dial_spec::kind::constant || every.first != 1)
    fail_at(checks.graph().schedule.place("publish_every"),
            "[schedule] publish_every must be 1: [actors." + self.name +
                "] learns what each version of the policy is worth");
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
  if (keys.training.start_after >= checks.graph().run.updates)
    fail_at(self.node.find("start_after")->at,
            "[actors." + self.name + "] start_after = " + std::to_string(keys.training.start_after) +
                " leaves none of the run's " + std::to_string(checks.graph().run.updates) +
                " updates to train in; lower it");
  if (checks.samples_own_policy() && schedule.max_staleness > 0 && row.kind == input_kind::tokens &&
      row.correction == "none" && !keys.i_know)
    fail_at(self.node.find("loss")->at,
            "[actors." + self.name + "] loss = \"" + std::string(row.name) +
                "\" corrects nothing for samples of older weights, but max_staleness is " +
                std::to_string(schedule.max_staleness) + "; use " + loss_with("decoupled") +
                ", set max_staleness = 0, or write i_know = true here");
}

/// Of zero = 3 no device holds a whole model.
std::string initial_device(const actor_config &self, const trainer_options &training) {
  return training.zero == 3 ? "cpu" : self.device;
}

trainer_options finished_options(preflight &plan, const actor_config &self, const learner_keys &keys) {
  auto training = keys.training;
  const auto steps = training.mini_batches * training.epochs;
  training.rate.warmup = keys.warmup * steps;
  training.rate.total = (plan.graph().run.updates - keys.training.start_after) * steps;
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
    training.temperature = number_key(*sampler, "temperature", 1.0);
  if (training.in_step) training.staleness_bound = plan.staleness_bound();
  const auto &rules = plan.rules();
  if (training.in_step && rules.lag == lag_rule::exactly && plan.samples_own_policy())
    training.exact_lag = plan.contract().lead.first;
  if (&self == &plan.learner()) training.brakes = rules.brakes;
  const auto reference = text_key(self, "reference");
  if (!reference.empty())
    training.reference =
        place(plan.models().load(reference), initial_device(self, training), plan.graph().run.numerics);
  training.keep_every = plan.graph().run.checkpoint_every;
  return training;
}

/// The buffer of a learner's path: made for the first of its learners, shared by all.
buffer_actor path_buffer(spawn_context &context, const actor_config &learner) {
  const auto path = learner.takes.front().name;
  auto &buffer = context.buffers[path];
  if (buffer) return buffer;
  const auto &plan = context.plan;
  const auto &schedule = plan.graph().schedule;
  const bool main = plan.in_step(learner);
  std::map<std::string, shared_batches::place> learners;
  for (const auto &each : plan.learner_places())
    if (each.path == path) learners[each.learner] = {};
  buffer_setup setup{shared_batches(main ? plan.buffer() : plan.side_buffer(), learners)};
  setup.ledger = context.ledger;
  setup.services = context.services;
  setup.path = path;
  setup.group = plan.group();
  if (main) setup.least = (schedule.batch_least + setup.group - 1) / setup.group;
  setup.patience = std::chrono::nanoseconds(static_cast<std::int64_t>(schedule.batch_after * 1e9));
  if (context.resumed) {
    const auto &history = context.resumed->history;
    setup.groups = restored_buffer(main ? plan.buffer() : plan.side_buffer(), history, path);
    setup.heard_before = heard_before(history, path);
    if (main)
      setup.groups.set_window(restored_dials(plan.dials(), history, context.paths.metrics).value("window"));
  }
  buffer = spawn_buffer(context.system, std::move(setup));
  context.own(main ? "buffer" : "buffer." + path, buffer);
  caf::anon_send(context.ledger, subscribe_atom::value, caf::actor_cast<draw_sink>(buffer));
  return buffer;
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
  setup.model = text_key(self, "model");
  setup.initial =
      place(context.first.at(setup.model)->model, initial_device(self, options), graph.run.numerics);
  options.device = self.device;
  setup.share = context.share(name, keys.threads);
  setup.share.ranks = ranks_here(self, options);
  for (const auto &[model, bound] : options.model_bounds)
    if (!options.models_in_step.contains(model)) setup.judges.push_back(context.weights_of(model));
  setup.core = std::make_shared<trainer>(options, *setup.initial);
  if (setup.core->needs_target_policy())
    setup.target = plan.learned_model(), setup.judges.push_back(context.weights);
  if (context.resumed && context.resumed->checkpoints.contains(name))
    resume_from(context.resumed->checkpoints.at(name), *setup.core);
  const auto &described = plan.models().describe(setup.model);
  setup.text = described.text;
  if (described.adapter) setup.base = described.adapter->base;
  setup.buffer = path_buffer(context, self);
  setup.ledger = context.ledger;
  setup.weights = context.weights_of(setup.model);
  setup.demonstrations = options.sft_batch;
  // who has a pace of its own goes on until the main learner is done
  setup.updates = plan.in_step(self) ? graph.run.updates : 0;
  // the others publish every version: what must wait for one may not wait longer
  setup.dials = main ? plan.dials() : conductor({{"publish_every", dial_spec::constant(1)}}, {});
  if (context.resumed) {
    setup.consumed_before = context.resumed->history.learner(name).consumed;
    if (main)
      setup.dials = restored_dials(std::move(setup.dials), context.resumed->history, context.paths.metrics);
  }
  setup.checkpoint_every = graph.run.checkpoint_every;
  if (!context.paths.checkpoints.empty()) {
    setup.checkpoints = context.paths.of(main ? "" : name).checkpoints;
    setup.run_folder.emplace(context.paths);
  }
  setup.journal = context.paths.journal;
  context.learners[name] = spawn_learner(context.system, context.detached, setup);
  context.own(name, context.learners.at(name));
  return caf::actor_cast<caf::strong_actor_ptr>(setup.buffer);
}

void tell(const learner_keys &keys, actor_config &config) {
  auto &facts = config.facts;
  facts.model = text_key(config, "model");
  facts.reference = text_key(config, "reference");
  facts.threads = keys.threads;
  facts.ranks = keys.training.replicas;
  switch (keys.training.objective->kind) {
    case input_kind::preference_pairs:
      facts.compares_preferences = true;
      [[fallthrough]];
    case input_kind::score_pairs:
      facts.lines = example_form::pair;
      break;
    case input_kind::scores:
      facts.lines = example_form::rated;
      break;
    default:
      break;
  }
}

}  // namespace

trainer_options learner_options(preflight &plan, const actor_config &self) {
  auto s = self.settings();
  return finished_options(plan, self, read_learner_keys(s));
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

void add_learner_kind(registry &kinds) {
  actor_kind kind;
  kind.name = "learner";
  kind.summary = "trains a model by a loss and publishes its versions";
  kind.ports.accepts = ports<sample_sink, loader_actor>();
  kind.ports.gives = port_name<weights_sink>::value;
  kind.ports.may_end_here = true;
  kind.placeable = true;  // its ranks are
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    const auto keys = read_learner_keys(s);
    s.finish();
    config.node = s.resolved();
    tell(keys, config);
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      check_samples(checks, self, keys);
      check_models(checks, self, keys);
      check_target(checks, self, keys);
      check_demonstrations(checks, self, keys);
      check_schedule(checks, self, keys);
      check_ranks(checks, self, keys.training);
    };
    plan.spawn = [=](spawn_context &context) { return spawn_parts(context, name, keys); };
    return plan;
  };
  kinds.add(std::move(kind));
}

}  // namespace slipstream

#include "actors/evaluator.hpp"

#include <algorithm>

#include "actors/context.hpp"
#include "actors/kinds/dataset_keys.hpp"
#include "actors/kinds/evaluator_plan.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/error.hpp"
#include "models/objectives/rows.hpp"

namespace slipstream {
namespace {

/// What an evaluator does with held-out lines.
enum class evaluator_task { generation, pairs, answers, lines };

struct evaluator_row {
  evaluator_task task;
  const char *name, *summary;
};
constexpr evaluator_row evaluators[] = {
    {evaluator_task::generation, "evaluator.generation",
     "greedy and sampled answers to held-out prompts, scored"},
    {evaluator_task::pairs, "evaluator.pairs",
     "how often a reward model ranks held-out answers as their ratings do"},
    {evaluator_task::answers, "evaluator.answers",
     "what a reward model says of sampled answers, and how they vary"},
    {evaluator_task::lines, "evaluator.lines",
     "loss, ranking or correlation on held-out lines of the learner's kind"},
};

evaluator_task task_of(const actor_config &actor) {
  return std::find_if(std::begin(evaluators), std::end(evaluators),
                      [&](const auto &row) { return actor.kind == row.name; })
      ->task;
}

/// Whose versions an evaluator tries.
const actor_config &learner_of(const preflight &checks, const actor_config &self) {
  return *checks.givers(self).front();
}

struct evaluator_keys {
  evaluator_task task = evaluator_task::generation;
  dataset_keys data;
  std::string model;  ///< whose answers are judged, or who judges; empty: only the learner's is asked
  held_out_options options;
  too_long long_lines = too_long::error;
  std::int64_t every = 0;
  std::int64_t threads = 1;
};

evaluator_keys read_evaluator_keys(settings &s, evaluator_task task) {
  evaluator_keys keys;
  keys.task = task;
  keys.data = read_dataset_keys(s);
  const bool pairs = task == evaluator_task::pairs, answers = task == evaluator_task::answers;
  if (pairs || answers) keys.model = s.required_text("model");
  if (task != evaluator_task::lines) {
    keys.options.samples = s.integer("samples", answers ? 4 : 8, pairs ? 2 : 1, 1024);
    keys.options.max_new_tokens = s.integer("max_new_tokens", 16, 1, 1 << 24);
    keys.options.slots = s.integer("slots", 64, 1, 65536);
  }
  if (task == evaluator_task::lines) keys.long_lines = read_too_long(s);
  if (answers) keys.options.show = s.integer("show", 10, 0, 1'000'000);
  if (pairs || task == evaluator_task::generation)
    keys.options.rule =
        find_text_score(pairs ? s.choice("rule", {"edit_similarity", "exact_match", "countdown"})
                              : s.choice("rule", {"exact_match", "edit_similarity", "countdown"}));
  keys.every = s.integer("every", 0, 0, 1'000'000'000);
  keys.threads = s.integer("threads", 1, 1, 1024);
  return keys;
}

struct checked_lines {
  dataset data;
  text_style style;
  std::vector<sample> samples;  ///< of evaluator.lines
};

void check_prompts(const checked_lines &read, const evaluator_keys &keys, const model_description &model) {
  for (const auto &row : read.data.rows) {
    if (keys.options.rule && row.answer.empty())
      throw input_error(read.data.place(row.row) +
                        ": error: the line has no \"answer\", which the evaluation compares with; add it");
    try {
      if (keys.options.rule) keys.options.rule("", row.answer);
    } catch (const input_error &problem) {  // a rule that cannot read it
      throw input_error(read.data.place(row.row) + ": error: " + problem.what());
    }
    const auto length =
        static_cast<std::int64_t>(prompt_tokens(row, read.style).size()) + keys.options.max_new_tokens;
    if (length > model.spec.max_positions)
      throw input_error(read.data.place(row.row) + ": error: the line needs " + std::to_string(length) +
                        " tokens (max_new_tokens included), the model's context is " +
                        std::to_string(model.spec.max_positions) + "; shorten it or lower max_new_tokens");
  }
}

void make_samples(checked_lines &read, preflight &checks, const actor_config &self, too_long rule,
                  std::int64_t context) {
  const auto &learner = learner_of(checks, self);
  const auto form = form_for(learner);
  if (find_objective(text_key(learner, "loss")).kind == input_kind::preference_pairs)
    fail_at(self.kind_at, "[actors." + self.name +
                              "] ranks pairs by a score head, which a model that learns by dpo has not; use "
                              "evaluator.generation");
  const auto wanted = form == example_form::pair    ? row_format::pairs
                      : form == example_form::rated ? row_format::scored
                                                    : row_format::demonstrations;
  if (read.data.format != wanted)
    fail_at(self.node.find("dataset")->at,
            "[actors." + self.name + "] dataset holds " + std::string(to_string(read.data.format)) +
                ", but the learner's loss is of " + std::string(to_string(wanted)) + "; name such a file");
  std::size_t kept = 0;
  for (const auto &row : read.data.rows) {
    auto group = fitting_samples(read.data, row, form, read.style, context, rule);
    if (!group) continue;
    ++kept;
    for (auto &entry : group->samples) read.samples.push_back(std::move(entry));
  }
  note_dropped(checks, self, read.data, kept, context);
}

checked_lines read_lines(preflight &checks, const actor_config &self, const evaluator_keys &keys) {
  checked_lines read{read_dataset(checks, keys.data), {}, {}};
  const auto &learned = described_model(checks, learner_of(checks, self));
  if (!keys.model.empty()) described_model(checks, self);
  const auto &model = keys.task == evaluator_task::pairs ? described_model(checks, self) : learned;
  read.style = style_for(checks, model, keys.data, read.data);
  if (keys.task == evaluator_task::lines)
    make_samples(read, checks, self, keys.long_lines, learned.spec.max_positions);
  else
    check_prompts(read, keys, model);
  if (keys.task == evaluator_task::answers && described_model(checks, self).spec.labels != 1)
    fail_at(self.node.find("model")->at,
            "[actors." + self.name + "] needs a model with a score head to judge the answers");
  return read;
}

using evaluation_maker =
    std::function<std::unique_ptr<evaluation>(const std::shared_ptr<const transformer> &)>;

evaluation_maker evaluation_of(preflight &checks, const actor_config &self) {
  auto s = self.settings();
  const auto keys = read_evaluator_keys(s, task_of(self));
  auto options = keys.options;
  const auto read = read_lines(checks, self, keys);
  options.rows = read.data.rows;
  options.chat = read.style.chat;
  options.seed = checks.graph().run.seed ^ 0x6576616c;  // other numbers than training draws
  const auto &learner = learner_of(checks, self);
  const auto text = described_model(checks, learner).text;
  const auto other = keys.model.empty() ? nullptr : checks.models().load(keys.model);
  const auto form = form_for(learner);
  return [=](const std::shared_ptr<const transformer> &model) {
    switch (keys.task) {
      case evaluator_task::pairs:
        return evaluate_pairs(model, other, text, options);
      case evaluator_task::answers:
        return evaluate_answers(model, other, text, options);
      case evaluator_task::lines:
        return evaluate_lines(model, read.samples, form);
      default:
        return evaluate_generation(model, text, options);
    }
  };
}

actor_kind evaluator_kind(const evaluator_row &row) {
  actor_kind kind;
  kind.name = row.name;
  kind.summary = row.summary;
  kind.ports.accepts = ports<weights_sink>();
  kind.read = [task = row.task](actor_config &config) {
    auto s = config.settings();
    const auto keys = read_evaluator_keys(s, task);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      if (self.takes.size() > 1)
        fail_at(self.takes[1].at,
                "[actors." + name + "] takes two learners; give each an evaluator of its own");
      read_lines(checks, self, keys);
    };
    plan.spawn = [=](spawn_context &context) -> caf::strong_actor_ptr {
      auto &checks = context.plan;
      const auto &self = *checks.graph().find_actor(name);
      evaluator_setup setup;
      setup.share = context.share(name, keys.threads);
      setup.every = keys.every;
      setup.weights = context.weights_of(text_key(learner_of(checks, self), "model"));
      setup.begin = evaluation_of(checks, self);
      context.expected.insert(name);
      context.own(name, spawn_evaluator(context.system, context.detached, setup));
      return nullptr;  // it follows the weights
    };
    return plan;
  };
  return kind;
}

}  // namespace

bool is_evaluator(const actor_config &actor) {
  return actor.kind.rfind("evaluator.", 0) == 0;
}

const actor_config &evaluated_learner(const preflight &checks, const actor_config &actor) {
  return learner_of(checks, actor);
}

std::unique_ptr<evaluation> begin_evaluation(preflight &checks, const actor_config &actor,
                                             std::shared_ptr<const transformer> model) {
  return evaluation_of(checks, actor)(std::move(model));
}

void add_evaluator_kinds(registry &kinds) {
  for (const auto &row : evaluators) kinds.add(evaluator_kind(row));
}

}  // namespace slipstream

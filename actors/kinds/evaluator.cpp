#include "actors/evaluator.hpp"

#include <algorithm>

#include "actors/context.hpp"
#include "actors/kinds/datasets.hpp"
#include "actors/kinds/evaluator_plan.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/error.hpp"
#include "runtime/evaluation/evaluation.hpp"
#include "runtime/kinds/evaluator_keys.hpp"

namespace slipstream {
namespace {

/// Whose versions an evaluator tries.
const actor_config &learner_of(const preflight &checks, const actor_config &self) {
  return *checks.givers(self).front();
}

held_out_options options_of(const evaluator_keys &keys) {
  held_out_options options;
  options.samples = keys.samples;
  options.max_new_tokens = keys.max_new_tokens;
  options.slots = keys.slots;
  options.show = keys.show;
  options.rule = find_text_score(keys.rule);
  return options;
}

struct checked_lines {
  dataset data;
  text_style style;
  std::vector<sample> samples;  ///< of evaluator.lines
};

void check_prompts(const checked_lines &read, const evaluator_keys &keys, const model_description &model) {
  const auto rule = find_text_score(keys.rule);
  for (const auto &row : read.data.rows) {
    if (rule && row.answer.empty())
      throw input_error(read.data.place(row.row) +
                        ": error: the line has no \"answer\", which the evaluation compares with; add it");
    try {
      if (rule) rule("", row.answer);
    } catch (const input_error &problem) {  // a rule that cannot read it
      throw input_error(read.data.place(row.row) + ": error: " + problem.what());
    }
    const auto length =
        static_cast<std::int64_t>(prompt_tokens(row, read.style).size()) + keys.max_new_tokens;
    if (length > model.spec.max_positions)
      throw input_error(read.data.place(row.row) + ": error: the line needs " + std::to_string(length) +
                        " tokens (max_new_tokens included), the model's context is " +
                        std::to_string(model.spec.max_positions) + "; shorten it or lower max_new_tokens");
  }
}

void make_samples(checked_lines &read, preflight &checks, const actor_config &self, too_long rule,
                  std::int64_t context) {
  const auto &learner = learner_of(checks, self);
  const auto form = learner.facts.lines;
  if (learner.facts.compares_preferences)
    fail_at(self.kind_at, "[actors." + self.name +
                              "] judges answers by a score head, which a model that learns by dpo or kto has "
                              "not; use "
                              "evaluator.generation");
  const auto wanted = format_of(form);
  if (read.data.format != wanted)
    fail_at(self.node.find("dataset")->at,
            "[actors." + self.name + "] dataset holds " + std::string(to_string(read.data.format)) +
                ", but the learner's loss is of " + std::string(to_string(wanted)) + "; name such a file");
  std::size_t kept = 0;
  for (const auto &row : read.data.rows) {
    if (form == example_form::labelled) check_judgement(read.data, row, learner);
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
  const bool ranked = keys.task == evaluator_task::pairs;
  const auto &model = ranked ? described_model(checks, self) : learned;
  const auto &name = ranked ? self.facts.model : learner_of(checks, self).facts.model;
  read.style = style_for(checks, name, keys.data, read.data);
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
  const auto &keys = self.keys.get<evaluator_keys>();
  auto options = options_of(keys);
  const auto read = read_lines(checks, self, keys);
  options.rows = read.data.rows;
  options.chat = read.style.chat;
  options.seed = checks.graph().run.seed ^ 0x6576616c;  // other numbers than training draws
  const auto &learner = learner_of(checks, self);
  const auto text = described_model(checks, learner).text;
  const auto other = keys.model.empty() ? nullptr : checks.models().load(keys.model);
  const auto form = learner.facts.lines;
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

node_plan plan_evaluator(const actor_config &config) {
  const auto keys = config.keys.get<evaluator_keys>();
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
    setup.weights = context.weights_of(learner_of(checks, self).facts.model);
    setup.begin = evaluation_of(checks, self);
    context.expected.insert(name);
    context.own(name, spawn_evaluator(context.system, context.detached, setup));
    return nullptr;  // it follows the weights
  };
  plan.evaluate = [=](preflight &checks, const std::shared_ptr<const transformer> &model) {
    return evaluation_of(checks, *checks.graph().find_actor(name))(model);
  };
  return plan;
}

}  // namespace

bool is_evaluator(const preflight &plan, const actor_config &actor) {
  return static_cast<bool>(plan.plan_of(actor).evaluate);
}

const actor_config &evaluated_learner(const preflight &checks, const actor_config &actor) {
  return learner_of(checks, actor);
}

void add_evaluator_kinds(registry &kinds) {
  for (const auto &row : evaluator_rows()) kinds.add(kind_of(row, plan_evaluator));
}

}  // namespace slipstream

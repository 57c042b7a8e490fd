#include "actors/evaluator.hpp"

#include "actors/context.hpp"
#include "actors/kinds/evaluator_plan.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"

namespace slipstream {
namespace {

struct evaluator_keys {
  std::string dataset;
  std::string generator;  ///< model whose answers are judged; empty: the learner's
  held_out_options options;
  std::int64_t every = 0;
  std::int64_t threads = 1;
};

evaluator_keys read_keys(settings &s, bool pairs) {
  evaluator_keys keys;
  keys.dataset = s.required_text("dataset");
  if (pairs) keys.generator = s.required_text("model");
  keys.options.samples = s.integer("samples", 8, pairs ? 2 : 1, 1024);
  keys.options.max_new_tokens = s.integer("max_new_tokens", 16, 1);
  keys.options.slots = s.integer("slots", 64, 1, 65536);
  keys.options.rule = find_text_score(pairs ? s.choice("rule", {"edit_similarity", "exact_match"})
                                            : s.choice("rule", {"exact_match", "edit_similarity"}));
  keys.every = s.integer("every", 0, 0);
  keys.threads = s.integer("threads", 1, 1, 1024);
  return keys;
}

std::vector<example> read_rows(preflight &checks, const actor_config &self, const evaluator_keys &keys) {
  std::filesystem::path file = keys.dataset;
  if (file.is_relative() && !checks.graph().data.folder.empty()) file = checks.graph().data.folder / file;
  auto data = read_jsonl(file);
  const auto &model = keys.generator.empty() ? checks.models().describe(checks.learned_model())
                                             : described_model(checks, self);
  for (const auto &row : data.rows) {
    if (row.answer.empty())
      throw input_error(data.place(row.row) +
                        ": error: the line has no \"answer\", which the evaluation compares with; add it");
    const auto length =
        static_cast<std::int64_t>(model.text->encode(row.prompt).size()) + keys.options.max_new_tokens;
    if (length > model.spec.max_positions)
      throw input_error(data.place(row.row) + ": error: the line needs " + std::to_string(length) +
                        " tokens (max_new_tokens included), the model's context is " +
                        std::to_string(model.spec.max_positions) + "; shorten it or lower max_new_tokens");
  }
  return data.rows;
}

using evaluation_maker =
    std::function<std::unique_ptr<evaluation>(const std::shared_ptr<const transformer> &)>;

evaluation_maker evaluation_of(preflight &checks, const actor_config &self) {
  auto s = self.settings();
  const bool pairs = self.kind == "evaluator.pairs";
  const auto keys = read_keys(s, pairs);
  auto options = keys.options;
  options.rows = read_rows(checks, self, keys);
  options.seed = checks.graph().run.seed ^ 0x6576616c;  // other numbers than training draws
  const auto text = checks.models().describe(checks.learned_model()).text;
  const auto generator = pairs ? checks.models().load(keys.generator) : nullptr;
  return [=](const std::shared_ptr<const transformer> &model) {
    return pairs ? evaluate_pairs(model, generator, text, options)
                 : evaluate_generation(model, text, options);
  };
}

actor_kind evaluator_kind(bool pairs) {
  actor_kind kind;
  kind.name = pairs ? "evaluator.pairs" : "evaluator.generation";
  kind.summary = pairs ? "how often a reward model ranks held-out answers as their ratings do"
                       : "greedy and sampled answers to held-out prompts, scored";
  kind.ports.accepts = ports<weights_sink>();
  kind.read = [pairs](actor_config &config) {
    auto s = config.settings();
    const auto keys = read_keys(s, pairs);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) { read_rows(checks, *checks.graph().find_actor(name), keys); };
    plan.spawn = [=](spawn_context &context) -> caf::strong_actor_ptr {
      auto &checks = context.plan;
      const auto &self = *checks.graph().find_actor(name);
      evaluator_setup setup;
      setup.share = context.share(name, keys.threads);
      setup.every = keys.every;
      setup.last = checks.graph().run.updates;
      setup.weights = context.weights;
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

std::unique_ptr<evaluation> begin_evaluation(preflight &checks, const actor_config &actor,
                                             std::shared_ptr<const transformer> model) {
  return evaluation_of(checks, actor)(std::move(model));
}

void add_evaluator_kinds(registry &kinds) {
  kinds.add(evaluator_kind(false));
  kinds.add(evaluator_kind(true));
}

}  // namespace slipstream

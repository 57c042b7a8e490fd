#include "runtime/kinds/evaluator_keys.hpp"

namespace slipstream {
namespace {

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

evaluator_keys read_keys(settings &s, evaluator_task task) {
  evaluator_keys keys;
  keys.task = task;
  keys.data = read_dataset_keys(s);
  const bool pairs = task == evaluator_task::pairs, answers = task == evaluator_task::answers;
  if (pairs || answers) keys.model = s.required_text("model");
  if (task != evaluator_task::lines) {
    keys.samples = s.integer("samples", answers ? 4 : 8, pairs ? 2 : 1, 1024);
    keys.max_new_tokens = s.integer("max_new_tokens", 16, 1, 1 << 24);
    keys.slots = s.integer("slots", 64, 1, 65536);
  }
  if (task == evaluator_task::lines) keys.long_lines = read_too_long(s);
  if (answers) keys.show = s.integer("show", 10, 0, 1'000'000);
  if (pairs)
    keys.rule = s.choice("rule", {"edit_similarity", "exact_match", "countdown", "number"});
  else if (task == evaluator_task::generation)
    keys.rule = s.choice("rule", {"exact_match", "edit_similarity", "countdown", "number"});
  keys.every = s.integer("every", 0, 0, 1'000'000'000);
  keys.threads = s.integer("threads", 1, 1, 1024);
  return keys;
}

void read_evaluator(evaluator_task task, actor_config &config) {
  auto s = config.settings();
  auto keys = read_keys(s, task);
  s.finish();
  config.node = s.resolved();
  config.facts.model = keys.model;
  config.facts.threads = keys.threads;
  tell_dataset(keys.data, config.facts);
  config.keys.set(std::move(keys));
}

}  // namespace

std::vector<kind_row> evaluator_rows() {
  std::vector<kind_row> rows;
  for (const auto &evaluator : evaluators) {
    kind_row row;
    row.name = evaluator.name;
    row.summary = evaluator.summary;
    row.ports.accepts = {port::versions};
    row.read = [task = evaluator.task](actor_config &config) { read_evaluator(task, config); };
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace slipstream

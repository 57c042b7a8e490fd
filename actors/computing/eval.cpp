#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "actors/commands/arguments.hpp"
#include "actors/kinds/evaluator_plan.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "runtime/evaluation/evaluation.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {

int execute(const eval_arguments &arguments) {
  warn_of_blas();
  const auto &model = arguments.model;
  registry kinds;
  register_builtin(kinds);
  bool any = false;
  for (auto &graph : read_topologies(arguments.files, arguments.overrides)) {
    preflight plan(std::move(graph), kinds);
    plan.verify();
    const auto &run = plan.graph().run;
    const auto newest = model.empty() ? resolve_model("run:" + run.name, run.folder) : model;
    nlohmann::json result = {{"model", newest.string()}};
    for (const auto &actor : plan.graph().actors) {
      if (!is_evaluator(plan, actor)) continue;
      const auto &learner = evaluated_learner(plan, actor);
      const bool main = &learner == &plan.learner();
      const auto folder = main || !model.empty()
                              ? newest
                              : run_paths(plan.graph().run_folder()).of(learner.name).checkpoints / "last";
      const auto wanted = plan.models().describe(learner.facts.model).spec.labels;
      const auto read = load_checkpoint(folder, wanted);
      const auto weights = std::make_shared<const transformer>(read.network(run.numerics));
      const auto work = plan.plan_of(actor).evaluate(plan, weights);
      while (work->step()) {
      }
      result["eval"].update(work->result());
      any = true;
    }
    if (!any)
      throw input_error(plan.graph().source.string() +
                        ": error: there is no evaluator; add an actor of kind " +
                        "\"evaluator.generation\" or \"evaluator.pairs\" that takes the learner");
    fmt::print("{}\n", result.dump(2));
  }
  return 0;
}

}  // namespace slipstream

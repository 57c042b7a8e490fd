#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "actors/commands/arguments.hpp"
#include "actors/computing/replay_gradients.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/place.hpp"
#include "runtime/journal/comparison.hpp"
#include "runtime/journal/replay.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The checkpoint as `run` would have written it, for its hash, and to stay where somebody asked for it.
std::string store(const fs::path &to, const trainer &core, const model_description &model) {
  const bool stays = !to.empty();
  const fs::path folder =
      stays ? to : fs::temp_directory_path() / fmt::format("slipstream-replay-{}", ::getpid());
  checkpoint result{core.model().spec(), core.model().flat().cpu(), model.text, {}};
  if (const auto *adapter = core.model().adapter())
    result.adapter = stored_adapter{*adapter, core.model().trainable().cpu(), model.adapter->base};
  save_checkpoint(folder, result, {}, "");
  const auto hash =
      file_sha256(folder / (result.adapter ? "adapter_model.safetensors" : "model.safetensors"));
  if (!stays) fs::remove_all(folder);
  return hash;
}

void print_order(const json &order) {
  fmt::print(
      "In order \"{}\" (the run's: \"{}\"): {} groups older than max_staleness = {}, {} by versions still to "
      "be made, {} dropped as late, {} left in the buffer\n",
      order["name"].get<std::string>(), order["run"].get<std::string>(),
      order["groups_too_old"].get<std::int64_t>(), order["max_staleness"].get<std::int64_t>(),
      order["groups_from_later"].get<std::int64_t>(), order["groups_late"].get<std::int64_t>(),
      order["groups_left"].get<std::int64_t>());
}

void print_report(const json &report) {
  fmt::print("{}", comparison_table(report["updates_compared"]));
  if (report.contains("order")) print_order(report["order"]);
  if (report.contains("gradients")) fmt::print("{}", gradient_table(report["gradients"]));
  fmt::print("{} updates replayed", report["updates"].get<std::int64_t>());
  if (report.contains("equal"))
    fmt::print(", {} fingerprints and {} checkpoints compared\n{}",
               report["fingerprints_compared"].get<std::int64_t>(),
               report["checkpoints_compared"].get<std::int64_t>(),
               !report["equal"].get<bool>()          ? "The weights DIFFER."
               : report.contains("other_arithmetic") ? "The weights are equal within the tolerance."
                                                     : "The weights are equal to the bit.");
  if (report.contains("other_arithmetic")) {
    const auto &other = report["other_arithmetic"];
    fmt::print(
        "\nThe run was computed by arithmetic {}, the replay by {}: weights differ by at most {:.2g} of a "
        "tensor's greatest",
        other["run"].get<std::int64_t>(), other["here"].get<std::int64_t>(),
        other["largest_difference"].get<double>());
  }
  fmt::print("\n");
  if (report.contains("first_difference"))
    fmt::print("The difference begins at {}\n", report["first_difference"].get<std::string>());
  if (report.contains("learners"))
    for (const auto &[name, other] : report["learners"].items())
      fmt::print("{}: {} updates replayed{}\n", name, other["updates"].get<std::int64_t>(),
                 !other.contains("equal")     ? ""
                 : other["equal"].get<bool>() ? ", equal to the bit"
                                              : ", DIFFERENT");
  if (report.contains("damage")) fmt::print("{}\n", report["damage"].get<std::string>());
  fmt::print("sha256 {}\n", report["sha256"].get<std::string>());
}

void check(const run_paths &paths, const replay_arguments &arguments) {
  if (!fs::exists(paths.topology))
    throw input_error(paths.folder.string() + ": error: holds no topology.toml; name the folder of a run");
  if (fs::exists(arguments.to) && !fs::is_empty(arguments.to))
    throw input_error(arguments.to.string() + ": error: is there already; replay to a new folder");
}

// What is asked to be otherwise, as overrides of the run's own topology.
std::vector<std::string> what_if(const run_paths &paths, const registry &kinds,
                                 const replay_arguments &arguments) {
  auto overrides = arguments.overrides;
  if (arguments.loss.empty()) return overrides;
  const preflight as_it_was(read_topology(paths.topology), kinds);
  overrides.push_back("actors." + as_it_was.learner().name + ".loss=" + arguments.loss);
  return overrides;
}

// Draws again what a learner's second loader gave it; empty where there is none. The dataset must be the
// run's.
std::function<std::vector<sample_group_ptr>(std::int64_t)> demonstrations_of(preflight &plan,
                                                                             const actor_config &learner) {
  const auto *loader = plan.demonstrations(learner);
  if (!loader) return {};
  plan.verify();
  const auto place = static_cast<std::size_t>(loader - plan.graph().actors.data());
  const auto count = learner_options(plan, learner).sft_batch;
  return [draw = plan.plans()[place].offline(plan).samples_drawn, count](std::int64_t version) {
    std::vector<sample_group_ptr> result;
    for (auto id = version * count; id < (version + 1) * count; ++id)
      result.push_back(draw(static_cast<std::uint64_t>(id)));
    return result;
  };
}

// Trains a learner beside the main one again, on its own batches.
json replay_other(preflight &plan, const run_paths &paths, const actor_config &learner,
                  const replay_arguments &arguments) {
  const auto model = learner.facts.model;
  const auto initial = place(plan.models().load(model), learner.device, plan.graph().run.numerics);
  at::set_num_threads(static_cast<int>(learner.facts.threads));
  trainer core(learner_options(plan, learner), *initial);
  const auto files = paths.of(learner.name);
  replay_comparison compared(files.metrics, files.checkpoints, learner.name, arguments.overrides.empty());
  replay_listeners listeners;
  listeners.read = [&](const journal_record &record) { compared.read(record); };
  listeners.made = [&](const trained_version &made) { compared.made(made, core); };
  if (core.needs_target_policy()) {
    const auto begun =
        place(plan.models().load(plan.learned_model()), plan.learner().device, plan.graph().run.numerics);
    trainer main(learner_options(plan), *begun);
    replay_beside(paths.journal, core, learner.name, main, begun, arguments.until, listeners);
  } else {
    replay_journal(paths.journal, core, arguments.until, listeners, nullptr, learner.name);
  }
  json report = compared.result();
  report["updates"] = core.version();
  report["sha256"] = store({}, core, plan.models().describe(model));
  return report;
}

// The run's rules, but for what is asked to be otherwise.
schedule_rules rules_of(const preflight &plan, const order_row &order, const replay_arguments &arguments) {
  auto rules = plan.rules();
  if (contains(order.keys, "window") && !contains(plan.order().keys, "window") && arguments.window == 0)
    throw input_error("--order " + order.name + ": the run has no window; add --window N, in groups");
  if (arguments.window > 0) rules.window = schedule_number::constant(arguments.window);
  if (arguments.late_after >= 0) rules.late_after = arguments.late_after;
  if (arguments.when_late == "wait") rules.when_late = late_rule::wait;
  if (arguments.when_late == "drop") rules.when_late = late_rule::drop;
  if (arguments.when_late == "accept") rules.when_late = late_rule::accept;
  return rules;
}

std::optional<other_order> order_of(const preflight &plan, const registry &kinds,
                                    const replay_arguments &arguments) {
  if (arguments.order.empty()) return {};
  const auto found = kinds.orders().find(arguments.order);
  if (found != kinds.orders().end())
    return other_order(found->second.choose, rules_of(plan, found->second, arguments),
                       plan.groups_per_batch());
  std::vector<std::string> names;
  for (const auto &[known, row] : kinds.orders()) names.push_back(known);
  throw input_error("--order " + arguments.order + ": there is no such order." +
                    did_you_mean(arguments.order, names) + " There are " + listed(names));
}

json told(const other_order &order, const preflight &plan, const std::string &name) {
  return {{"name", name},
          {"run", plan.rules().order},
          {"max_staleness", plan.rules().max_staleness},
          {"groups_too_old", order.too_old()},
          {"groups_from_later", order.from_later()},
          {"groups_late", order.late()},
          {"groups_left", order.left()}};
}

}  // namespace

int execute(const replay_arguments &arguments) {
  warn_of_blas();
  const run_paths paths(arguments.run);
  check(paths, arguments);
  registry kinds;
  register_builtin(kinds);
  const auto overrides = what_if(paths, kinds, arguments);
  preflight plan(read_topology(paths.topology, overrides), kinds);
  at::set_num_threads(static_cast<int>(plan.learner().facts.threads));  // as the run's learner had
  const auto &description = plan.models().describe(plan.learned_model());
  const auto initial =
      place(plan.models().load(plan.learned_model()), plan.learner().device, plan.graph().run.numerics);
  auto order = order_of(plan, kinds, arguments);
  auto options = learner_options(plan, plan.learner());
  if (order)
    options.staleness_bound.reset(), options.exact_lag.reset(),
        options.model_bounds.clear();  // counted, not promised
  trainer core(options, *initial);
  replay_comparison compared(paths.metrics, paths.checkpoints, plan.learner().name,
                             overrides.empty() && !order);
  std::optional<gradient_study> gradients;
  if (arguments.gradients) {
    plan.verify();
    gradients.emplace(plan, arguments.every, arguments.repeats);
  }
  replay_listeners listeners;
  listeners.demonstrations = demonstrations_of(plan, plan.learner());
  listeners.read = [&](const journal_record &record) {
    compared.read(record);
    if (gradients) gradients->read(record);
  };
  listeners.meets = [&](const std::vector<sample_group_ptr> &batch) {
    if (gradients) gradients->meets(core, batch);
  };
  listeners.made = [&](const trained_version &made) {
    compared.made(made, core);
    if (::isatty(STDERR_FILENO) != 0)
      say(fmt::format("\rreplayed {} of {} updates", made.version, compared.updates_told()));
  };
  const auto damage =
      replay_journal(paths.journal, core, arguments.until, listeners, order ? &*order : nullptr);
  json report = compared.result();
  report["updates"] = core.version();
  report["sha256"] = store(arguments.to, core, description);
  bool others_equal = true;
  for (const auto *learner : plan.learners()) {
    if (learner == &plan.learner() || damage) continue;
    auto &other = report["learners"][learner->name] = replay_other(plan, paths, *learner, arguments);
    others_equal = others_equal && other.value("equal", true);
  }
  if (gradients) report["gradients"] = gradients->result();
  if (order) report["order"] = told(*order, plan, arguments.order);
  if (damage) report["damage"] = to_string(*damage);
  if (::isatty(STDERR_FILENO) != 0) say("\n");
  if (arguments.json)
    fmt::print("{}\n", report.dump(2));
  else
    print_report(report);
  return !damage && others_equal && (!overrides.empty() || order || compared.equal()) ? 0 : 1;
}

}  // namespace slipstream

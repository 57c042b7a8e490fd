#include "actors/run.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <caf/all.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "actors/context.hpp"
#include "actors/journal.hpp"
#include "actors/kinds/evaluator_plan.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "actors/ledger.hpp"
#include "actors/nodes/links.hpp"
#include "actors/nodes/open.hpp"
#include "actors/placement.hpp"
#include "actors/recorder.hpp"
#include "actors/run_books.hpp"
#include "actors/run_inputs.hpp"
#include "actors/run_summary.hpp"
#include "actors/supervisor.hpp"
#include "actors/weights.hpp"
#include "models/arithmetic/number.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/json.hpp"
#include "runtime/run_folder/json_lines.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/topology/renamed_keys.hpp"
#include "runtime/topology/resolved.hpp"

namespace slipstream {
namespace {

std::map<std::string, std::filesystem::path> further_metrics(const preflight &plan, const run_paths &paths) {
  std::map<std::string, std::filesystem::path> files;
  if (paths.metrics.empty()) return files;
  for (const auto *learner : plan.learners())
    if (learner != &plan.learner()) files[learner->name] = paths.of(learner->name).metrics;
  for (const auto &actor : plan.graph().actors)
    if (is_evaluator(plan, actor)) files[actor.name] = evaluations_file(paths, actor.name);
  return files;
}

/// Ends the actors of a run that does not come to be, or the system would wait for them for ever.
class unfinished_start {
 public:
  using named_actors = std::vector<std::pair<std::string, caf::strong_actor_ptr>>;

  ~unfinished_start() {
    end(first_);
    if (further_) end(*further_);
  }
  template <class Handle>
  Handle add(const std::string &name, Handle handle) {
    first_.emplace_back(name, caf::actor_cast<caf::strong_actor_ptr>(handle));
    return handle;
  }
  /// Those that are in the list when the time comes, too.
  void add_later(const named_actors &further) { further_ = &further; }
  void finish() {
    first_.clear();
    further_ = nullptr;
  }

 private:
  static void end(const named_actors &actors) {
    for (const auto &[name, actor] : actors)  // nodes are told that the run has ended
      caf::anon_send_exit(caf::actor_cast<caf::actor>(actor),
                          name == "nodes" ? caf::exit_reason::user_shutdown : caf::exit_reason::kill);
  }

  named_actors first_;
  const named_actors *further_ = nullptr;
};

/// Whether an earlier release, which had other names, began the run that goes on.
bool has_old_names(const run_paths &paths, const resume_point *resumed) {
  return resumed && has_old_keys(read_text(paths.topology));
}

run_services spawn_services(caf::actor_system &system, const preflight &plan, const run_paths &paths,
                            const run_options &options, const resume_point *resumed,
                            unfinished_start &start) {
  const auto &graph = plan.graph();
  run_services services;
  services.journal = start.add("journal", spawn_journal(system, paths.journal, options.detached));
  services.supervisor = start.add("supervisor", spawn_supervisor(system, options.detached));
  services.slots = std::make_shared<compute_slots>(run_cores(graph));
  services.waits = std::make_shared<wait_table>();
  services.deadline = std::chrono::seconds(2 * graph.run.stall_after + 5);  // the watchdog speaks first
  services.recorder =
      start.add("recorder", spawn_recorder(system, options.detached,
                                           {paths.metrics,
                                            paths.trace,
                                            {options.progress, graph.run.name, graph.run.updates},
                                            services.supervisor,
                                            resumed != nullptr,
                                            further_metrics(plan, paths),
                                            has_old_names(paths, resumed)}));
  return services;
}

/// Spawns the actors of the graph, consumers first.
void spawn_nodes(spawn_context &context) {
  const auto &plan = context.plan;
  for (const auto index : plan.spawn_order())
    context.inboxes[plan.graph().actors[index].name] = plan.plans()[index].spawn(context);
}

/// log.txt: what happened to the run as a whole; the figures are in metrics.jsonl and trace.json.
std::shared_ptr<spdlog::logger> open_log(const run_paths &paths, const topology &graph) {
  auto log = std::make_shared<spdlog::logger>(
      graph.run.name, std::make_shared<spdlog::sinks::basic_file_sink_mt>(paths.log.string()));
  log->flush_on(spdlog::level::info);
  log->info("run begins: {} updates of {} rollouts, staleness at most {}, seed {}, from {}",
            graph.run.updates, graph.schedule.batch, graph.schedule.max_staleness, graph.run.seed,
            graph.source.string());
  for (const auto &actor : graph.actors)
    log->info("actor {}: {} on {}", actor.name, actor.kind, actor.device);
  return log;
}

bool tell_if_lost(caf::scoped_actor &self, const supervisor_actor &supervisor, const folder_mark &folder) {
  try {
    folder.require_there();
    return false;
  } catch (const run_error &problem) {
    self->send(supervisor, stop_atom::value, std::string(problem.what()));
    return true;
  }
}

/// Whatever else went wrong once the folder was lost followed from that: an actor may have met it first.
void name_lost_folder(nlohmann::json &summary, const folder_mark &folder) {
  try {
    folder.require_there();
  } catch (const run_error &problem) {
    summary.update({{"status", "failed"}, {"exit_code", 1}, {"error", problem.what()}});
  }
}

json_ptr wait_for(caf::actor_system &system, const supervisor_actor &supervisor, const folder_mark &folder,
                  const std::function<bool()> &interrupted) {
  caf::scoped_actor self{system};
  json_ptr result;
  bool told = false, lost = false;
  self->send(supervisor, wait_atom::value);
  // not caf::after, which is a time of the wall clock: set back by an hour, it would wait for an hour
  constexpr std::chrono::milliseconds beat{100};
  self->delayed_send(self, beat, tick_atom::value);
  while (!result) {
    self->receive([&](const json_ptr &ended) { result = ended; },
                  [&](const caf::error &reason) {
                    result = std::make_shared<const nlohmann::json>(
                        nlohmann::json{{"status", "failed"},
                                       {"exit_code", 1},
                                       {"error", "the supervisor died: " + failure_text(reason)},
                                       {"reports", nlohmann::json::object()}});
                  },
                  [&](tick_atom) {
                    if (!told && interrupted && interrupted()) {
                      told = true;
                      self->send(supervisor, stop_atom::value);
                    }
                    if (!lost) lost = tell_if_lost(self, supervisor, folder);
                    self->delayed_send(self, beat, tick_atom::value);
                  });
  }
  return result;
}

/// Readies a folder for what is written again: figures of later updates go, the old trace steps aside.
void go_on(const run_paths &paths, const preflight &plan, const resume_point &resumed) {
  require_same_topology(paths, write_resolved(plan.graph()));
  for (const auto &learner : resumed.history.learners)
    cut_metrics(paths.of(&learner == &resumed.history.learners.front() ? "" : learner.name).metrics,
                learner.version);
  for (const auto &actor : plan.graph().actors)
    if (is_evaluator(plan, actor))
      cut_metrics(evaluations_file(paths, actor.name),
                  resumed.history.learner(evaluated_learner(plan, actor).name).version);
  for (int part = 1; std::filesystem::exists(paths.trace); ++part) {
    const auto kept = paths.folder / ("trace-" + std::to_string(part) + ".json");
    if (!std::filesystem::exists(kept)) std::filesystem::rename(paths.trace, kept);
  }
}

/// A learner's weights as the run begins or goes on.
snapshot_ptr first_weights(preflight &plan, const actor_config &learner, const resume_point *resumed) {
  const auto model = learner.facts.model;
  if (!resumed || !resumed->checkpoints.contains(learner.name))
    return std::make_shared<snapshot>(snapshot{0, plan.models().load(model), model, false});
  auto read = load_checkpoint(resumed->checkpoints.at(learner.name));
  read.spec.eos_tokens = plan.models().describe(model).spec.eos_tokens;
  const auto version = resumed->history.learner(learner.name).version;
  return std::make_shared<snapshot>(
      snapshot{version, std::make_shared<const transformer>(read.network(plan.graph().run.numerics)), model,
               plan.in_step(learner) && version >= plan.graph().run.updates});
}

}  // namespace

void configure(caf::actor_system_config &config) {
  // Compute actors have threads of their own; what is left for the scheduler are short messages. Idle workers
  // that steal look for work 20,000 times a second, on cores that tensors need; those that share sleep.
  config.set("scheduler.max-threads", std::size_t{2});
  config.set("scheduler.policy", caf::atom("sharing"));
}

void configure(caf::actor_system_config &config, const topology &graph) {
  configure(config);
  if (places_actors(graph)) configure_links(config, link_options_of(graph.nodes));
}

supervisor_actor spawn_topology(caf::actor_system &system, preflight &plan, const run_paths &paths,
                                const run_options &options, const resume_point *resumed) {
  std::map<std::string, snapshot_ptr> first;
  std::map<std::string, weights_actor> weights;
  for (const auto *learner : plan.learners()) {
    const auto model = learner->facts.model;
    first[model] = first_weights(plan, *learner, resumed);
  }
  unfinished_start start;
  for (const auto &[model, snapshot] : first)
    weights[model] = start.add("weights", spawn_weights(system, snapshot));
  const auto services = spawn_services(system, plan, paths, options, resumed, start);
  open_journal(plan, services, resumed);
  spawn_context context{system,
                        plan,
                        services,
                        weights.at(plan.learned_model()),
                        start.add("ledger", spawn_books(system, plan, services, resumed)),
                        paths,
                        first,
                        weights,
                        resumed,
                        options.detached};
  unfinished_start further;  // it goes before the list does
  further.add_later(context.owned);
  context.own("journal", services.journal);
  context.own("recorder", services.recorder);
  for (const auto &[model, actor] : weights)
    context.own(model == plan.learned_model() ? "weights" : "weights." + model, actor);
  context.own("ledger", context.ledger);
  if (places_actors(plan.graph())) {
    const auto join = open_nodes(context, options.say);
    if (options.nodes_open) options.nodes_open(join);
  }
  context.interrupted = options.interrupted;
  context.say = options.say;
  spawn_nodes(context);

  auto run = std::make_shared<supervised_run>();
  run->actors = context.owned;
  run->expected = context.expected;
  run->learner_name = plan.learner().name;
  run->learner = context.learners.at(plan.learner().name);
  for (const auto *learner : plan.learners())
    if (learner != &plan.learner())
      run->other_learners[learner->name] = {context.learners.at(learner->name), !plan.in_step(*learner)};
  run->ledger = context.ledger;
  run->services = services;
  run->stall_seconds = plan.graph().run.stall_after;
  if (plan.graph().run.restart_stalled) run->nodes = context.nodes;
  caf::anon_send(services.supervisor, supervised_run_ptr(run));
  // null unless a learner takes from the loader
  const auto direct = context.buffers.find(plan.loader().name);
  caf::anon_send(context.ledger, subscribe_atom::value,
                 caf::actor_cast<loader_actor>(context.inboxes.at(plan.loader().name)),
                 direct == context.buffers.end() ? sample_sink() : sample_sink(direct->second));
  start.finish();
  further.finish();
  return services.supervisor;
}

nlohmann::json run_topology(caf::actor_system &system, preflight &plan, const run_options &options) {
  const run_folder folder(plan.graph().run_folder(), options.resume);
  const folder_mark mark(folder.paths());
  const bool exact_lag = plan.graph().schedule.lag == lag_rule::exactly;
  const auto resumed = options.resume
                           ? find_resume_point(folder.paths(), plan.learner_paths(), exact_lag,
                                               in_lockstep(plan), plan.graph().run.checkpoint_every)
                           : std::nullopt;
  if (resumed)
    go_on(folder.paths(), plan, *resumed);
  else
    write_aside(folder.paths().topology, write_resolved(plan.graph()));
  write_inputs(folder.paths().folder, inputs_of(plan.graph()));
  const auto log = open_log(folder.paths(), plan.graph());
  for (const auto &note : plan.notes()) log->info("{}", note);
  if (resumed)
    for (const auto &learner : resumed->history.learners)
      log->info("{} goes on from version {}", learner.name, learner.version);
  if (resumed && resumed->history.arithmetic != arithmetic_number)
    log->info("arithmetic {} so far, {} from here on: a replay compares within a tolerance",
              resumed->history.arithmetic, arithmetic_number);
  auto told = options;
  told.say = [log, say = options.say](const std::string &line) {
    log->info("{}", line);
    if (say) say(line);
  };
  const bool old_names =
      has_old_names(folder.paths(), resumed ? &*resumed : nullptr);  // it may be lost later
  json_ptr result;
  try {
    const auto supervisor = spawn_topology(system, plan, folder.paths(), told, resumed ? &*resumed : nullptr);
    result = wait_for(system, supervisor, mark, options.interrupted);
    caf::anon_send_exit(supervisor, caf::exit_reason::user_shutdown);
  } catch (const interrupted_start &problem) {
    told.say(problem.what());
    result = std::make_shared<const nlohmann::json>(
        nlohmann::json{{"status", "stopped"}, {"exit_code", 130}, {"reports", nlohmann::json::object()}});
  }
  auto summary = summarise(plan, folder.paths(), *result);
  if (old_names) keep_old_causes(summary);
  if (!plan.notes().empty()) summary["notes"] = plan.notes();
  name_lost_folder(summary, mark);
  if (mark.still_there()) keep_summary(folder.paths().summary, summary);
  if (summary.contains("error")) log->error("{}", summary["error"].get<std::string>());
  log->info("run ends: {}, ledger {}", summary["status"].get<std::string>(),
            summary.contains("ledger") ? summary["ledger"].dump() : "unknown");
  return summary;
}

}  // namespace slipstream

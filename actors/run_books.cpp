#include "actors/run_books.hpp"

#include <caf/all.hpp>

#include <memory>
#include <utility>

#include "actors/ledger.hpp"
#include "models/arithmetic/number.hpp"

namespace slipstream {
namespace {

ledger open_books(const preflight &plan) {
  const auto &schedule = plan.graph().schedule;
  const bool several = plan.learners().size() > 1;
  return {admission(schedule.batch, plan.contract().lead.first),
          plan.group(),
          schedule.batch * plan.graph().run.updates,
          {schedule.max_running, several ? plan.in_flight_bound() : schedule.max_in_flight}};
}

/// Which learners there are, and the models of those that keep no step with the main one.
ledger_paths make_paths(const preflight &plan, const resume_point *resumed) {
  ledger_paths paths{resumed ? restored_paths(resumed->history) : path_book(plan.learner_paths())};
  for (const auto *learner : plan.learners()) {
    if (plan.in_step(*learner)) continue;
    const auto model = learner->facts.model;
    paths.model_of[learner->name] = model;
    paths.versions[model] = resumed ? resumed->history.learner(learner->name).version : 0;
  }
  return paths;
}

}  // namespace

ledger_actor spawn_books(caf::actor_system &system, const preflight &plan, const run_services &services,
                         const resume_point *resumed) {
  auto books = open_books(plan);
  auto paths = make_paths(plan, resumed);
  const auto follows = plan.samples_own_policy();
  if (!resumed)
    return spawn_ledger(system, ledger_machine(std::move(books), follows, {}, std::move(paths)), services);
  const auto &history = resumed->history;
  books = restored_books(std::move(books), plan.graph().schedule.batch, history);
  if (const auto lead = history.numbers.find("lead"); lead != history.numbers.end())
    books.set_lead(lead->second);
  return spawn_ledger(system,
                      ledger_machine(std::move(books), follows,
                                     {history.version(), waiting_again(history), begun_again(history),
                                      model_versions_again(history)},
                                     std::move(paths)),
                      services);
}

void open_journal(const preflight &plan, const run_services &services, const resume_point *resumed) {
  const auto write = [&](journal_event event) {
    caf::anon_send(services.journal,
                   journal_event_ptr(std::make_shared<const journal_event>(std::move(event))));
  };
  if (!resumed) {
    write(run_opened{plan.graph().run.name, plan.graph().run.seed, plan.group(), plan.keeps_partial(),
                     plan.learner_paths()});
  } else {
    run_resumed event;
    for (const auto &learner : resumed->history.learners) event.versions[learner.name] = learner.version;
    write(event);
  }
  write(arithmetic_used{arithmetic_number});
}

}  // namespace slipstream

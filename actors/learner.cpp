#include "actors/learner.hpp"

#include <caf/all.hpp>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/journal/overloaded.hpp"
#include "runtime/journal/story.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/checkpoints.hpp"
#include "runtime/learning/fingerprint.hpp"

namespace slipstream {
namespace {

struct learner_state {
  static inline const char *name = "learner";
  learner_setup setup;
  std::optional<learner_machine> machine;
  batch_ptr batch;                               ///< to be trained on next
  std::vector<sample_group_ptr> demonstrations;  ///< those of that batch
  std::map<std::int64_t, snapshot_ptr> targets;  ///< versions of the target from the one on that is due
  trained_version made;                          ///< by the newest batch, until its figures are written
  std::shared_ptr<const transformer> newest;     ///< weights, until they are out or nobody wants them
  loader_actor loader;                           ///< of demonstrations
};

using learner_pointer = learner_actor::stateful_pointer<learner_state>;

void carry_out(learner_pointer self, learner_machine::decisions decisions);

void keep_checkpoint(const learner_setup &setup) {
  if (setup.checkpoints.empty()) return;
  if (setup.run_folder) setup.run_folder->require_there();
  write_checkpoint(setup.checkpoints, *setup.core, setup.text, setup.base);
}

void pull(learner_pointer self, std::int64_t version) {
  const auto &setup = self->state.setup;
  const auto on_batch = [self](const batch_ptr &batch) {
    self->state.batch = batch;
    carry_out(self, self->state.machine->batch_came(batch != nullptr));
  };
  ask<batch_ptr>(self, setup.share.services, setup.buffer, {setup.share.actor, "a batch", "buffer"}, on_batch,
                 pull_atom::value, setup.share.actor, version);
}

void ask_demonstrations(learner_pointer self, std::vector<std::uint64_t> ids) {
  const auto &setup = self->state.setup;
  const auto on_reply = [self](const drawn_batch_ptr &lines) {
    for (const auto &line : *lines) self->state.demonstrations.push_back(line.samples);
    carry_out(self, self->state.machine->demonstrations_came());
  };
  ask<drawn_batch_ptr>(self, setup.share.services, self->state.loader,
                       {setup.share.actor, "demonstrations", "loader"}, on_reply, draw_atom::value,
                       ids_ptr(std::make_shared<std::vector<std::uint64_t>>(std::move(ids))));
}

void flush(learner_pointer self, const std::function<void()> &then) {
  const auto &services = self->state.setup.share.services;
  ask<flush_atom>(
      self, services, services.journal,
      {self->state.setup.share.actor, "the journal to be on the disk", "journal"},
      [then](flush_atom) { then(); }, flush_atom::value);
}

/// The run ends with what the journal says of the prompt, once all of it can be read there.
void tell_story(learner_pointer self, const staleness_error &broken) {
  const auto &setup = self->state.setup;
  if (!setup.share.services.journal) throw broken;
  flush(self, [self, broken] {
    throw run_error(std::string(broken.what()) + "; its history:\n" +
                    to_string(read_story(self->state.setup.journal, broken.prompt)));
  });
}

void train(learner_pointer self, const learner_decisions::train &now) {
  auto &state = self->state;
  auto &core = *state.setup.core;
  if (now.target) {
    core.set_target_policy(state.targets.at(*now.target)->model);
    state.targets.erase(state.targets.begin(), state.targets.upper_bound(*now.target));
  }
  try {
    core.begin(*std::exchange(state.batch, nullptr), now_ns(self), now.scoring_models,
               std::exchange(state.demonstrations, {}));
  } catch (const staleness_error &broken) {
    return tell_story(self, broken);
  }
  self->send(self, step_atom::value);
}

void step(learner_pointer self) {
  auto &state = self->state;
  auto &core = *state.setup.core;
  bool more = true;
  compute(self, state.setup.share, "train", [&] {
    const auto before = core.tokens();
    more = core.slice();
    return core.tokens() - before;
  });
  if (more) return self->send(self, step_atom::value);
  state.made = core.complete(now_ns(self));
  state.newest = std::move(state.made.weights);
  update_outcome outcome{state.made.ids, state.made.tripped};
  for (const auto &[name, value] : state.made.metrics.items())
    if (value.is_number()) outcome.figures.emplace(name, value.get<double>());
  carry_out(self, state.machine->trained(std::move(outcome)));
}

void publish(learner_pointer self, const learner_decisions::publish &out) {
  const auto &setup = self->state.setup;
  const auto &weights = self->state.newest ? self->state.newest : setup.initial;
  self->send(setup.weights,
             snapshot_ptr(std::make_shared<snapshot>(snapshot{out.version, weights, setup.model, out.last})));
}

/// What a replay is compared with. Nobody waits for it.
void note_weights(learner_pointer self, std::int64_t version) {
  const auto &setup = self->state.setup;
  if (!setup.share.services.journal) return;
  note(self, setup.share.services,
       version_made{setup.share.actor, version, fingerprint(setup.core->model())});
}

void report_update(learner_pointer self, const std::map<std::string, std::int64_t> &schedule) {
  const auto &setup = self->state.setup;
  if (setup.rules.updates > 0) self->state.newest.reset();  // the trainer uses its memory again
  auto metrics = std::exchange(self->state.made.metrics, {});
  for (const auto &[name, value] : schedule) metrics[name] = value;
  self->send(setup.share.services.recorder, update_atom::value, setup.share.actor,
             std::make_shared<const nlohmann::json>(std::move(metrics)));
}

void report_end(learner_pointer self) {
  const auto &setup = self->state.setup;
  self->send(setup.share.services.supervisor, report_atom::value, setup.share.actor,
             std::make_shared<const nlohmann::json>(setup.core->summary()));
  self->send(setup.ledger, done_atom::value, setup.share.actor);
  self->send(setup.share.services.supervisor, done_atom::value, setup.share.actor);
}

ids_ptr shared(std::vector<std::uint64_t> ids) {
  return std::make_shared<const std::vector<std::uint64_t>>(std::move(ids));
}

void carry_out(learner_pointer self, learner_machine::decisions decisions) {
  namespace to = learner_decisions;
  const auto &setup = self->state.setup;
  const auto &actor = setup.share.actor;
  for (auto &decision : decisions)
    std::visit(
        overloaded{
            [&](to::pull &wanted) { pull(self, wanted.version); },
            [&](to::cancel_pull &) { self->send(setup.buffer, stop_atom::value, actor); },
            [&](to::ask_demonstrations &asked) { ask_demonstrations(self, std::move(asked.ids)); },
            [&](to::train &now) { train(self, now); },
            [&](to::note_event &noted) { note(self, setup.share.services, std::move(noted.event)); },
            [&](to::note_version &made) { note_weights(self, made.version); },
            [&](to::flush &wanted) {
              flush(self, [self, why = wanted.why] { carry_out(self, self->state.machine->flushed(why)); });
            },
            [&](to::publish &out) { publish(self, out); },
            [&](to::set_lead &lead) { self->send(setup.ledger, change_atom::value, lead.versions); },
            [&](to::set_window &window) { self->send(setup.buffer, change_atom::value, window.groups); },
            [&](to::leave_untrained &left) {
              self->send(setup.ledger, guard_atom::value, actor, shared(std::move(left.ids)), left.reason);
            },
            [&](to::report_trained &done) {
              self->send(setup.ledger, trained_atom::value, actor, shared(std::move(done.ids)), done.version);
            },
            [&](to::report_update &figures) { report_update(self, figures.schedule); },
            [&](to::write_checkpoint &) { keep_checkpoint(setup); },
            [&](to::finish &) { report_end(self); },
        },
        decision);
}

void note_scoring_model(learner_pointer self, const snapshot_ptr &published) {
  auto &state = self->state;
  if (published->name == state.setup.rules.target) state.targets[published->version] = published;
  carry_out(self, state.machine->scoring_model_came(published->name, published->version));
}

learner_rules complete_rules(const learner_setup &setup) {
  auto rules = setup.rules;
  rules.name = setup.share.actor;
  rules.version = setup.core->version();
  rules.keeps_journal = static_cast<bool>(setup.share.services.journal);
  rules.keeps_checkpoints = !setup.checkpoints.empty();
  return rules;
}

learner_actor::behavior_type learner_behavior(learner_pointer self, const learner_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  self->state.machine.emplace(complete_rules(setup));
  for (const auto &weights : setup.scoring_models)
    self->send(weights, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  carry_out(self, self->state.machine->begin());
  return {
      [self](step_atom) { step(self); },
      [self](stop_atom) { carry_out(self, self->state.machine->stop()); },
      [self](const snapshot_ptr &published) { note_scoring_model(self, published); },
      [self](subscribe_atom, const loader_actor &loader) {
        self->state.loader = loader;
        carry_out(self, self->state.machine->loader_ready());
      },
  };
}

}  // namespace

learner_actor spawn_learner(caf::actor_system &system, bool detached, const learner_setup &setup) {
  return caf::actor_cast<learner_actor>(spawn_compute(system, detached, learner_behavior, setup));
}

}  // namespace slipstream

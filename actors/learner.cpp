#include "actors/learner.hpp"

#include <caf/all.hpp>

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "runtime/journal/story.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/checkpoints.hpp"
#include "runtime/learning/fingerprint.hpp"

namespace slipstream {
namespace {

struct learner_state {
  static inline const char *name = "learner";
  learner_setup setup;
  std::int64_t published = 0;      ///< the newest version that went out
  std::int64_t publish_every = 1;  ///< versions
  bool stopping = false;
  bool finished = false;
  bool pulling = false;
  bool on_disk = false;                          ///< all that the batch under way is made of
  std::shared_ptr<trained_version> held_back;    ///< what it made, until then
  std::vector<dial_turn> turns;                  ///< that the version just made calls for
  std::shared_ptr<const transformer> newest;     ///< of a learner without a number of updates
  std::map<std::string, std::int64_t> judges;    ///< newest version of each other learned model heard of
  std::map<std::int64_t, snapshot_ptr> targets;  ///< versions of the target from the one on that is due
  batch_ptr early;                               ///< a batch that something is waited for with
  loader_actor loader;                           ///< of demonstrations
  std::vector<sample_group_ptr> shown;           ///< those of the batch that is begun next
};

using learner_pointer = learner_actor::stateful_pointer<learner_state>;

void pull(learner_pointer self);
void flush(learner_pointer self, const std::function<void()> &then);
void begin(learner_pointer self, batch_ptr batch);

bool is_enough(const learner_setup &setup, std::int64_t version) {
  return setup.updates > 0 && version >= setup.updates;
}

void keep_checkpoint(const learner_setup &setup) {
  if (setup.checkpoints.empty()) return;
  if (setup.run_folder) setup.run_folder->require_there();
  write_checkpoint(setup.checkpoints, *setup.core, setup.text, setup.base);
}

/// Writes the last checkpoint, tells the supervisor, and pulls no more.
void finish(learner_pointer self) {
  auto &state = self->state;
  const auto &setup = state.setup;
  state.finished = true;
  if (setup.updates == 0)  // only now is it known which version is the last
    self->send(setup.weights,
               snapshot_ptr(std::make_shared<snapshot>(snapshot{
                   setup.core->version(), state.newest ? state.newest : setup.initial, setup.model, true})));
  keep_checkpoint(setup);
  self->send(setup.share.services.supervisor, report_atom::value, setup.share.actor,
             std::make_shared<const nlohmann::json>(setup.core->summary()));
  self->send(setup.ledger, done_atom::value, setup.share.actor);
  self->send(setup.share.services.supervisor, done_atom::value, setup.share.actor);
}

conductor::figures figures_of(const nlohmann::json &metrics) {
  conductor::figures figures;
  for (const auto &[name, value] : metrics.items())
    if (value.is_number()) figures.emplace(name, value.get<double>());
  return figures;
}

/// Turns the schedule's numbers by what the update showed; durable before the version is, so that a run that
/// goes on from it goes on with them.
void turn_dials(learner_pointer self, trained_version &done) {
  auto &state = self->state;
  auto &setup = state.setup;
  state.turns = setup.dials.observe(done.version, figures_of(done.metrics));
  for (const auto &turn : state.turns)
    note(self, setup.share.services, dial_turned{turn.dial, turn.version, turn.value, turn.cause});
  for (const auto &[name, value] : setup.dials.changing()) done.metrics[name] = value;
}

void tell_turns(learner_pointer self) {
  const auto &setup = self->state.setup;
  for (const auto &turn : std::exchange(self->state.turns, {})) {
    if (turn.dial == "lead") self->send(setup.ledger, turn_atom::value, turn.value);
    if (turn.dial == "window") self->send(setup.buffer, turn_atom::value, turn.value);
  }
}

/// Word to the books: the groups made a version, or were given up with the places they had.
void tell_ledger(learner_pointer self, trained_version &done) {
  const auto &setup = self->state.setup;
  const auto list = [](std::vector<std::uint64_t> ids) {
    return ids_ptr(std::make_shared<const std::vector<std::uint64_t>>(std::move(ids)));
  };
  if (!done.braked.empty())
    self->send(setup.ledger, brake_atom::value, setup.share.actor, list(std::exchange(done.ids, {})),
               "brake: " + done.braked);
  self->send(setup.ledger, trained_atom::value, setup.share.actor, list(std::move(done.ids)), done.version);
}

/// What a replay is compared with. It belongs before the next batch, and nobody waits for it.
void note_version(learner_pointer self, std::int64_t version) {
  const auto &setup = self->state.setup;
  if (!setup.share.services.journal) return;
  note(self, setup.share.services,
       version_made{setup.share.actor, version, fingerprint(setup.core->model())});
}

/// `then`, once the newest version's fingerprint is on the disk: who goes on from its checkpoint makes none.
void before_checkpoint(learner_pointer self, const std::function<void()> &then) {
  const auto &setup = self->state.setup;
  if (setup.checkpoints.empty() || !setup.share.services.journal) return then();
  flush(self, then);
}

/// The new version goes out, then its figures and the books.
void publish(learner_pointer self, trained_version done) {
  auto &state = self->state;
  const auto &setup = state.setup;
  if (done.version - state.published >= state.publish_every || done.version <= setup.consumed_before ||
      done.version == setup.updates) {
    state.published = done.version;
    self->send(setup.weights, snapshot_ptr(std::make_shared<snapshot>(snapshot{
                                  done.version, done.weights, setup.model, done.version == setup.updates})));
  }
  if (setup.updates == 0) state.newest = done.weights;
  state.publish_every = setup.dials.value("publish_every");
  tell_turns(self);
  note_version(self, done.version);
  tell_ledger(self, done);
  self->send(setup.share.services.recorder, update_atom::value, setup.share.actor,
             std::make_shared<const nlohmann::json>(std::move(done.metrics)));
  if (is_enough(setup, done.version) || state.stopping)
    return before_checkpoint(self, [self] { finish(self); });
  if (setup.checkpoint_every == 0 || done.version % setup.checkpoint_every != 0) return pull(self);
  before_checkpoint(self, [self] {
    if (self->state.stopping) return finish(self);
    const auto &own = self->state.setup;
    keep_checkpoint(own);
    pull(self);
  });
}

void flush(learner_pointer self, const std::function<void()> &then) {
  const auto &services = self->state.setup.share.services;
  ask<flush_atom>(
      self, services, services.journal,
      {self->state.setup.share.actor, "the journal to be on the disk", "journal"},
      [then](flush_atom) { then(); }, flush_atom::value);
}

/// What the batch is made of goes to the disk while it is trained on.
void secure_batch(learner_pointer self) {
  auto &state = self->state;
  state.on_disk = !state.setup.share.services.journal;
  if (state.on_disk) return;
  flush(self, [self] {
    self->state.on_disk = true;
    if (const auto done = std::exchange(self->state.held_back, nullptr)) publish(self, std::move(*done));
  });
}

/// After the last slice of a batch: what it was made of, and what it decided, is on the disk before anybody
/// sees what it made.
void complete(learner_pointer self) {
  auto &state = self->state;
  const auto &setup = state.setup;
  auto done = std::make_shared<trained_version>(setup.core->complete(now_ns(self)));
  if (!done->braked.empty())
    note(self, setup.share.services, batch_braked{done->version, done->braked, setup.share.actor});
  turn_dials(self, *done);
  const bool decided = !done->braked.empty() || !state.turns.empty();
  if (decided && setup.share.services.journal)
    return flush(self, [self, done] { publish(self, std::move(*done)); });
  if (!state.on_disk) return void(state.held_back = std::move(done));
  publish(self, std::move(*done));
}

void step(learner_pointer self) {
  bool more = true;
  compute(self, self->state.setup.share, "train", [&] {
    const auto before = self->state.setup.core->tokens();
    more = self->state.setup.core->slice();
    return self->state.setup.core->tokens() - before;
  });
  if (more)
    self->send(self, step_atom::value);
  else
    complete(self);
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

/// A version's demonstrations are draws that its number alone decides, so a run that goes on has the same.
void ask_for_demonstrations(learner_pointer self) {
  auto &state = self->state;
  const auto &setup = state.setup;
  auto ids = std::make_shared<std::vector<std::uint64_t>>();
  const auto first = setup.core->version() * setup.demonstrations;
  for (std::int64_t i = 0; i < setup.demonstrations; ++i)
    ids->push_back(static_cast<std::uint64_t>(first + i));
  const auto on_reply = [self](const drawn_batch_ptr &lines) {
    for (const auto &line : *lines) self->state.shown.push_back(line.samples);
    begin(self, std::exchange(self->state.early, nullptr));
  };
  ask<drawn_batch_ptr>(self, setup.share.services, state.loader,
                       {setup.share.actor, "demonstrations", "loader"}, on_reply, draw_atom::value,
                       ids_ptr(ids));
}

/// Gives the trainer the version of the target policy that a batch is judged by. False when it is not there
/// yet: its learner has made it before it could be given this batch, so the wait ends.
bool set_target(learner_state &state) {
  if (state.setup.target.empty()) return true;
  const auto due = state.targets.find(state.setup.core->version());
  if (due == state.targets.end()) return false;
  state.setup.core->set_target_policy(due->second->model);
  state.targets.erase(state.targets.begin(), due);
  return true;
}

/// Begins with a batch, once all is there that belongs to it.
void begin(learner_pointer self, batch_ptr batch) {
  auto &state = self->state;
  auto &core = *state.setup.core;
  const bool incomplete = state.setup.demonstrations > 0 && state.shown.empty();
  if (!set_target(state) || incomplete) {
    state.early = std::move(batch);
    if (incomplete && state.loader) ask_for_demonstrations(self);
    return;
  }
  // what was consumed before the run was interrupted was checked then; the judges have moved on since
  const bool again = core.version() < state.setup.consumed_before;
  try {
    core.begin(*batch, now_ns(self), again ? decltype(state.judges){} : state.judges,
               std::exchange(state.shown, {}));
  } catch (const staleness_error &broken) {
    return tell_story(self, broken);
  }
  secure_batch(self);
  self->send(self, step_atom::value);
}

void pull(learner_pointer self) {
  const auto &setup = self->state.setup;
  const auto on_batch = [self](const batch_ptr &batch) {
    self->state.pulling = false;
    if (!batch) return before_checkpoint(self, [self] { finish(self); });
    begin(self, batch);
  };
  self->state.pulling = true;
  ask<batch_ptr>(self, setup.share.services, setup.buffer, {setup.share.actor, "a batch", "buffer"}, on_batch,
                 pull_atom::value, setup.share.actor, setup.core->version());
}

void hear(learner_pointer self, const snapshot_ptr &published) {
  auto &state = self->state;
  state.judges[published->name] = published->version;
  if (published->name != state.setup.target) return;
  state.targets[published->version] = published;
  if (state.early) begin(self, std::exchange(state.early, nullptr));
}

learner_actor::behavior_type learner_behavior(learner_pointer self, const learner_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  for (const auto &judge : setup.judges)
    self->send(judge, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  self->state.published = setup.core->version();
  self->state.publish_every = self->state.setup.dials.value("publish_every");
  if (is_enough(setup, setup.core->version()))
    finish(self);  // a resumed run that was trained to its end
  else
    pull(self);
  return {
      [self](step_atom) { step(self); },
      [self](stop_atom) {
        auto &state = self->state;
        state.stopping = true;  // a batch under way is finished first
        if (state.pulling) self->send(state.setup.buffer, stop_atom::value, state.setup.share.actor);
      },
      [self](const snapshot_ptr &published) { hear(self, published); },
      [self](subscribe_atom, const loader_actor &loader) {
        self->state.loader = loader;
        if (self->state.early) ask_for_demonstrations(self);
      },
  };
}

}  // namespace

learner_actor spawn_learner(caf::actor_system &system, bool detached, const learner_setup &setup) {
  return caf::actor_cast<learner_actor>(spawn_compute(system, detached, learner_behavior, setup));
}

}  // namespace slipstream

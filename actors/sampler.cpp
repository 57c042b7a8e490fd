#include "actors/sampler.hpp"

#include <ATen/core/Tensor.h>
#include <caf/all.hpp>

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "models/network/place.hpp"
#include "runtime/journal/progress_notes.hpp"

namespace slipstream {
namespace {

struct sampler_state {
  static inline const char *name = "sampler";
  sampler_setup setup;
  std::optional<engine> decoder;
  engine_weights held;
  bool stepping = false;
  bool handed_back = false;                   ///< everything is in the journal; nothing more is generated
  std::map<std::uint64_t, work_ptr> running;  // by id, so that the journal's records have an order
  std::vector<work_ptr> early;                ///< their weights are still under way
  progress_notes notes;
  std::map<std::int64_t, engine_weights> kept;  ///< by version; only with an exact lag
};

using sampler_pointer = sampler_actor::stateful_pointer<sampler_state>;

void hold(sampler_pointer self, const snapshot_ptr &published) {
  auto &state = self->state;
  const auto &setup = state.setup;
  const auto begin_ns = now_ns(self);
  state.held = {place(published->model, setup.device, setup.mode), published->version};
  state.decoder->set_weights(state.held.model, state.held.version);
  if (setup.follows)  // how long the answers under way wait for it
    self->send(setup.share.services.recorder,
               span{setup.share.actor, state.stepping ? "weights" : "weights, idle", begin_ns, now_ns(self)});
  if (!setup.exact_lag || !setup.follows) return;
  // What is not trained on yet was drawn for the learner's version or a later one, so it needs none older
  // than the newest one held by more than the lead.
  state.kept[state.held.version] = state.held;
  state.kept.erase(state.kept.begin(), state.kept.lower_bound(state.held.version - setup.lead));
}

/// Tells the ledger of `prompts` places that became free and of the weights held.
void grant(sampler_pointer self, std::int64_t prompts) {
  const auto &state = self->state;
  self->send(state.setup.ledger, credit_atom::value, caf::actor_cast<work_sink>(self), prompts,
             state.held.version);
}

/// The weights that a prompt keeps to; none where it takes what comes.
engine_weights own_weights(const sampler_state &state, const work &prompt) {
  if (!state.setup.follows || !state.setup.exact_lag) return {};
  const auto wanted = state.kept.find(prompt.min_version);
  if (wanted == state.kept.end())
    throw run_error(
        fmt::format("sampler: prompt {} is to be made by version {} exactly, which is not held; the "
                    "oldest held is {}",
                    prompt.source->id, prompt.min_version, state.kept.begin()->first));
  return wanted->second;
}

void submit(sampler_pointer self, const work_ptr &prompt) {
  auto &state = self->state;
  if (state.setup.follows && state.held.version < prompt->min_version) return state.early.push_back(prompt);
  auto request = state.setup.request;
  request.id = prompt->source->id;
  request.prompt = prompt->prompt_tokens;
  state.notes.begin(request.id, prompt->begun, request.samples, now_ns(self));
  state.running.emplace(request.id, prompt);
  state.decoder->submit(std::move(request), own_weights(state, *prompt),
                        prompt->begun ? *prompt->begun : std::vector<partial_generation>());
  if (!std::exchange(state.stepping, true)) self->send(self, step_atom::value);
}

/// The journal hears of whole answers before anybody else.
void deliver(sampler_pointer self, finished_request &&finished) {
  auto &state = self->state;
  note(self, state.setup.share.services, state.notes.last(finished));
  const auto prompt = state.running.extract(finished.id).mapped();
  auto group = std::make_shared<rollout_group>();
  group->source = prompt->source;
  group->min_version = prompt->min_version;
  group->model_versions = prompt->model_versions;
  group->prompt_tokens = prompt->prompt_tokens;
  group->rollouts = std::move(finished.samples);
  for (auto &rollout : group->rollouts) {
    group->texts.push_back(state.setup.text->decode(rollout.tokens));
    if (state.setup.follows) continue;
    rollout.versions.clear();  // a model that never moves has no versions to age
    rollout.cache_versions.clear();
  }
  self->send(state.setup.ledger, finished_atom::value, finished.id);
  for (const auto &sink : state.setup.sinks) self->send(sink, group_ptr(group));
}

/// One decode step of everything that runs.
void step(sampler_pointer self) {
  auto &state = self->state;
  if (state.handed_back) return;
  std::vector<finished_request> finished;
  compute(self, state.setup.share, "decode", [&] {
    const auto before = state.decoder->decoded_tokens();
    finished = state.decoder->step();
    return static_cast<std::int64_t>(state.decoder->decoded_tokens() - before);
  });
  const auto freed = static_cast<std::int64_t>(finished.size());
  for (auto &request : finished) deliver(self, std::move(request));
  if (state.setup.notes_progress)
    for (auto &record : state.notes.due(*state.decoder, now_ns(self)))
      note(self, state.setup.share.services, std::move(record));
  if (freed > 0) grant(self, freed);
  state.stepping = state.decoder->running() + state.decoder->queued() > 0;
  if (state.stepping) self->send(self, step_atom::value);
}

/// Interrupted generations keep their tokens: they go into the journal.
caf::result<ids_ptr, ids_ptr> hand_back(sampler_pointer self) {
  auto &state = self->state;
  state.handed_back = true;
  std::vector<std::uint64_t> begun, untouched;
  for (const auto &[id, prompt] : state.running) {
    if (auto record = state.notes.rest(*state.decoder, id, now_ns(self)))
      note(self, state.setup.share.services, std::move(*record));
    (state.decoder->tokens_of(id) > 0 ? begun : untouched).push_back(id);
  }
  for (const auto &prompt : std::exchange(state.early, {}))
    (prompt->begun ? begun : untouched).push_back(prompt->source->id);
  return {std::make_shared<const std::vector<std::uint64_t>>(std::move(begun)),
          std::make_shared<const std::vector<std::uint64_t>>(std::move(untouched))};
}

sampler_actor::behavior_type sampler_behavior(sampler_pointer self, const sampler_setup &setup) {
  fail_with_text(self);
  auto &state = self->state;
  state.setup = setup;
  state.decoder.emplace(setup.engine);
  self->send(setup.ledger, subscribe_atom::value, caf::actor_cast<flush_sink>(self));
  if (setup.follows) {
    self->send(setup.weights, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  } else {
    hold(self, setup.fixed);
    grant(self, setup.places);
  }
  return {
      [self](const work_ptr &prompt) { submit(self, prompt); },
      [self, first = setup.follows](const snapshot_ptr &published) mutable {
        const auto before = self->state.held;  // giving back its memory takes time that prompts come in
        hold(self, published);
        for (const auto &prompt : std::exchange(self->state.early, {})) submit(self, prompt);
        grant(self, std::exchange(first, false) ? self->state.setup.places : 0);
      },
      [self](step_atom) { step(self); },
      [self](flush_atom) { return hand_back(self); },
  };
}

}  // namespace

caf::strong_actor_ptr spawn_sampler(caf::actor_system &system, bool detached, const sampler_setup &setup) {
  return spawn_compute(system, detached, sampler_behavior, setup);
}

}  // namespace slipstream

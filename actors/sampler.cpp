#include "actors/sampler.hpp"

#include <ATen/core/Tensor.h>
#include <caf/all.hpp>

#include <optional>
#include <unordered_map>
#include <utility>

#include "models/network/place.hpp"

namespace slipstream {
namespace {

struct sampler_state {
  static inline const char *name = "sampler";
  sampler_setup setup;
  std::optional<engine> decoder;
  std::int64_t version = 0;
  bool stepping = false;
  std::unordered_map<std::uint64_t, work_ptr> running;
};

using self_pointer = sampler_actor::stateful_pointer<sampler_state>;

void hold(self_pointer self, const snapshot_ptr &published) {
  auto &state = self->state;
  const auto &setup = state.setup;
  state.decoder->set_weights(place(published->model, setup.device, setup.mode), published->version);
  state.version = published->version;
}

/// Tells the ledger of `prompts` places that became free and of the weights held.
void grant(self_pointer self, std::int64_t prompts) {
  const auto &state = self->state;
  self->send(state.setup.ledger, credit_atom::value, caf::actor_cast<work_sink>(self), prompts,
             state.version);
}

void submit(self_pointer self, const work_ptr &prompt) {
  auto &state = self->state;
  if (state.setup.follows && state.version < prompt->min_version)
    throw run_error("sampler: prompt " + std::to_string(prompt->source->id) + " needs weights of version " +
                    std::to_string(prompt->min_version) + ", held are " + std::to_string(state.version));
  auto request = state.setup.request;
  request.id = prompt->source->id;
  request.prompt = prompt->prompt_tokens;
  state.decoder->submit(std::move(request));
  state.running.emplace(prompt->source->id, prompt);
  if (!std::exchange(state.stepping, true)) self->send(self, step_atom::value);
}

void deliver(self_pointer self, finished_request &&finished) {
  auto &state = self->state;
  const auto prompt = state.running.extract(finished.id).mapped();
  auto group = std::make_shared<rollout_group>();
  group->source = prompt->source;
  group->min_version = prompt->min_version;
  group->model_versions = prompt->model_versions;
  group->prompt_tokens = prompt->prompt_tokens;
  group->rollouts = std::move(finished.samples);
  for (auto &rollout : group->rollouts) {
    group->texts.push_back(state.setup.text->decode(rollout.tokens));
    if (!state.setup.follows) rollout.versions.clear();  // a model that never moves has no versions to age
  }
  self->send(state.setup.ledger, finished_atom::value, finished.id);
  for (const auto &sink : state.setup.sinks) self->send(sink, group_ptr(group));
}

/// One decode step of everything that runs.
void step(self_pointer self) {
  auto &state = self->state;
  std::vector<finished_request> finished;
  compute(self, state.setup.share, "decode", [&] {
    const auto before = state.decoder->decoded_tokens();
    finished = state.decoder->step();
    return static_cast<std::int64_t>(state.decoder->decoded_tokens() - before);
  });
  const auto freed = static_cast<std::int64_t>(finished.size());
  for (auto &request : finished) deliver(self, std::move(request));
  if (freed > 0) grant(self, freed);
  state.stepping = state.decoder->running() + state.decoder->queued() > 0;
  if (state.stepping) self->send(self, step_atom::value);
}

sampler_actor::behavior_type behave(self_pointer self, const sampler_setup &setup) {
  fail_with_text(self);
  auto &state = self->state;
  state.setup = setup;
  state.decoder.emplace(setup.engine);
  if (setup.follows) {
    self->send(setup.weights, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  } else {
    hold(self, setup.fixed);
    grant(self, setup.places);
  }
  return {
      [self](const work_ptr &prompt) { submit(self, prompt); },
      [self, first = setup.follows](const snapshot_ptr &published) mutable {
        hold(self, published);
        grant(self, std::exchange(first, false) ? self->state.setup.places : 0);
      },
      [self](step_atom) { step(self); },
  };
}

}  // namespace

caf::strong_actor_ptr spawn_sampler(caf::actor_system &system, bool detached, const sampler_setup &setup) {
  return spawn_compute(system, detached, behave, setup);
}

}  // namespace slipstream

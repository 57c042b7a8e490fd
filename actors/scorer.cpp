#include "actors/scorer.hpp"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <caf/all.hpp>

#include <utility>

#include "models/network/group_forward.hpp"
#include "models/network/place.hpp"
#include "runtime/schedule/group_pool.hpp"

namespace slipstream {
namespace {

struct text_scorer_state {
  static inline const char *name = "scorer";
};

/// Stands in the wait table as long as it lives.
class open_wait {
 public:
  open_wait(std::shared_ptr<wait_table> waits, wait_entry entry)
      : waits_(std::move(waits)), ticket_(waits_->open(std::move(entry))) {}
  ~open_wait() { waits_->close(ticket_); }
  open_wait(const open_wait &) = delete;
  open_wait &operator=(const open_wait &) = delete;

 private:
  std::shared_ptr<wait_table> waits_;
  std::uint64_t ticket_;
};

scorer_actor::behavior_type score_texts(scorer_actor::stateful_pointer<text_scorer_state> self,
                                        const std::string &name, const group_rule &rule,
                                        const std::vector<score_sink> &sinks,
                                        const std::shared_ptr<wait_table> &waits) {
  fail_with_text(self);
  return {[=](const group_ptr &group) {
    auto result = std::make_shared<group_scores>();
    result->group = group;
    result->scorer = name;
    {  // a rule of a program's own may take its time, or for ever
      const open_wait wait(
          waits, {name, "its rule", fmt::format("the scores of prompt {}", group->source->id), now_ns(self)});
      result->scores = rule(*group);
    }
    for (const auto &sink : sinks) self->send(sink, group_scores_ptr(result));
  }};
}

struct model_scorer_state {
  static inline const char *name = "model scorer";
  model_scorer_setup setup;
  std::int64_t version = -1;    ///< of the weights that score
  std::int64_t heard_of = -1;   ///< the newest version; a refreshed reference does not take every one
  std::vector<group_ptr> held;  ///< groups that may only be scored by a version still to come
};
using model_scorer_pointer = model_scorer_actor::stateful_pointer<model_scorer_state>;

std::int64_t token_count(const rollout_group &group) {
  std::int64_t count = 0;
  for (const auto &rollout : group.rollouts)
    count += static_cast<std::int64_t>(group.prompt_tokens.size() + rollout.tokens.size());
  return count;
}

std::int64_t oldest_allowed(const model_scorer_setup &setup, const rollout_group &group) {
  if (setup.in_step) return oldest_version(group);
  const auto found = group.model_versions.find(setup.model_name);
  return found == group.model_versions.end() ? 0 : found->second;
}

/// A refreshed reference takes the first version of every `refresh_every` that it hears of.
bool takes(const model_scorer_state &state, std::int64_t version) {
  const auto every = state.setup.refresh_every;
  return every == 0 || version / every > state.version / every;
}

/// What every model scorer does beside scoring: it follows its learner and holds back groups that must wait
/// for a newer version.
template <class Score>
model_scorer_actor::behavior_type score_with(model_scorer_pointer self, const model_scorer_setup &given,
                                             Score score) {
  fail_with_text(self);
  self->state.setup = given;
  self->state.version = given.version;
  if (given.weights) self->send(given.weights, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  return {[=](const group_ptr &group) {
            auto &state = self->state;
            const bool moves = static_cast<bool>(state.setup.weights);
            if (moves && (!state.setup.model || state.heard_of < oldest_allowed(state.setup, *group)))
              return state.held.push_back(group);
            score(self, group);
          },
          [=](const snapshot_ptr &published) {
            auto &state = self->state;
            state.heard_of = published->version;
            if (takes(state, published->version)) {
              state.setup.model = place(published->model, state.setup.device, state.setup.mode);
              state.version = published->version;
            }
            for (const auto &group : std::exchange(state.held, {})) self->send(self, group);
          }};
}

template <class Result>
std::shared_ptr<Result> open_result(model_scorer_pointer self, const group_ptr &group) {
  const auto &setup = self->state.setup;
  auto result = std::make_shared<Result>();
  result->group = group;
  if (setup.weights) {
    result->model = setup.model_name;
    result->version = self->state.version;
  }
  return result;
}

model_scorer_actor::behavior_type score_with_model(model_scorer_pointer self,
                                                   const model_scorer_setup &given) {
  return score_with(self, given, [](model_scorer_pointer scorer, const group_ptr &group) {
    const auto &setup = scorer->state.setup;
    auto result = open_result<group_scores>(scorer, group);
    result->scorer = setup.name;
    compute(scorer, setup.share, "score", [&] {
      result->scores = answer_scores(*setup.model, group->prompt_tokens, group->rollouts);
      return token_count(*group);
    });
    for (const auto &sink : setup.score_sinks) scorer->send(sink, group_scores_ptr(result));
  });
}

model_scorer_actor::behavior_type value_with_model(model_scorer_pointer self,
                                                   const model_scorer_setup &given) {
  return score_with(self, given, [](model_scorer_pointer scorer, const group_ptr &group) {
    const auto &setup = scorer->state.setup;
    auto result = open_result<group_values>(scorer, group);
    compute(scorer, setup.share, "values", [&] {
      result->values = answer_values(*setup.model, group->prompt_tokens, group->rollouts);
      return token_count(*group);
    });
    for (const auto &sink : setup.value_sinks) scorer->send(sink, group_values_ptr(result));
  });
}

model_scorer_actor::behavior_type recompute_logprobs(model_scorer_pointer self,
                                                     const model_scorer_setup &given) {
  return score_with(self, given, [](model_scorer_pointer scorer, const group_ptr &group) {
    const auto &setup = scorer->state.setup;
    auto result = open_result<group_logprobs>(scorer, group);
    result->model = setup.name;
    compute(scorer, setup.share, "logprobs", [&] {
      result->logprobs =
          answer_logprobs(*setup.model, group->prompt_tokens, group->rollouts, setup.temperature);
      return token_count(*group);
    });
    for (const auto &sink : setup.logprob_sinks) scorer->send(sink, group_logprobs_ptr(result));
  });
}

rollout_sink::behavior_type pass_own_lines(rollout_sink::pointer self, const std::string &teacher,
                                           const rollout_sink &scorer) {
  return {[=](const group_ptr &group) {
    if (group->source->teacher == teacher) self->send(scorer, group);
  }};
}

}  // namespace

scorer_actor spawn_text_scorer(caf::actor_system &system, bool detached, const std::string &name,
                               group_rule rule, std::vector<score_sink> sinks,
                               std::shared_ptr<wait_table> waits) {
  if (detached)
    return system.spawn<caf::detached>(score_texts, name, std::move(rule), std::move(sinks),
                                       std::move(waits));
  return system.spawn(score_texts, name, std::move(rule), std::move(sinks), std::move(waits));
}

caf::strong_actor_ptr spawn_reward_scorer(caf::actor_system &system, bool detached,
                                          const model_scorer_setup &setup) {
  return spawn_compute(system, detached, score_with_model, setup);
}

caf::strong_actor_ptr spawn_critic(caf::actor_system &system, bool detached,
                                   const model_scorer_setup &setup) {
  return spawn_compute(system, detached, value_with_model, setup);
}

caf::strong_actor_ptr spawn_reference(caf::actor_system &system, bool detached,
                                      const model_scorer_setup &setup) {
  return spawn_compute(system, detached, recompute_logprobs, setup);
}

rollout_sink spawn_line_filter(caf::actor_system &system, const std::string &teacher,
                               const rollout_sink &scorer) {
  return system.spawn(pass_own_lines, teacher, scorer);
}

}  // namespace slipstream

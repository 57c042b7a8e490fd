#include "actors/scorer.hpp"

#include <ATen/core/Tensor.h>
#include <caf/all.hpp>

#include "models/network/group_forward.hpp"

namespace slipstream {
namespace {

struct text_scorer_state {
  static inline const char *name = "scorer";
};

scorer_actor::behavior_type score_texts(scorer_actor::stateful_pointer<text_scorer_state> self,
                                        const std::string &name, text_score rule,
                                        const std::vector<score_sink> &sinks) {
  fail_with_text(self);
  return {[=](const group_ptr &group) {
    auto result = std::make_shared<group_scores>();
    result->group = group;
    result->scorer = name;
    result->scores = text_scores(rule, *group);
    for (const auto &sink : sinks) self->send(sink, group_scores_ptr(result));
  }};
}

struct model_scorer_state {
  static inline const char *name = "model scorer";
};
using self_pointer = rollout_sink::stateful_pointer<model_scorer_state>;

std::int64_t token_count(const rollout_group &group) {
  std::int64_t count = 0;
  for (const auto &rollout : group.rollouts)
    count += static_cast<std::int64_t>(group.prompt_tokens.size() + rollout.tokens.size());
  return count;
}

rollout_sink::behavior_type score_with_model(self_pointer self, const model_scorer_setup &setup) {
  fail_with_text(self);
  return {[=](const group_ptr &group) {
    auto result = std::make_shared<group_scores>();
    result->group = group;
    result->scorer = setup.share.actor;
    compute(self, setup.share, "score", [&] {
      result->scores = answer_scores(*setup.model, group->prompt_tokens, group->rollouts);
      return token_count(*group);
    });
    for (const auto &sink : setup.score_sinks) self->send(sink, group_scores_ptr(result));
  }};
}

rollout_sink::behavior_type recompute_logprobs(self_pointer self, const model_scorer_setup &setup) {
  fail_with_text(self);
  return {[=](const group_ptr &group) {
    auto result = std::make_shared<group_logprobs>();
    result->group = group;
    result->model = setup.share.actor;
    compute(self, setup.share, "logprobs", [&] {
      result->logprobs =
          answer_logprobs(*setup.model, group->prompt_tokens, group->rollouts, setup.temperature);
      return token_count(*group);
    });
    for (const auto &sink : setup.logprob_sinks) self->send(sink, group_logprobs_ptr(result));
  }};
}

}  // namespace

scorer_actor spawn_text_scorer(caf::actor_system &system, const std::string &name, text_score rule,
                               std::vector<score_sink> sinks) {
  return system.spawn(score_texts, name, rule, std::move(sinks));
}

caf::strong_actor_ptr spawn_reward_scorer(caf::actor_system &system, bool detached,
                                          const model_scorer_setup &setup) {
  return spawn_compute(system, detached, score_with_model, setup);
}

caf::strong_actor_ptr spawn_reference(caf::actor_system &system, bool detached,
                                      const model_scorer_setup &setup) {
  return spawn_compute(system, detached, recompute_logprobs, setup);
}

}  // namespace slipstream

#include "actors/join.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "actors/failure.hpp"
#include "models/error.hpp"
#include "runtime/scoring/reward_watch.hpp"
#include "runtime/scoring/score_check.hpp"

namespace slipstream {
namespace {

struct join_state {
  static inline const char *name = "join";
  join_setup setup;
  std::unordered_map<std::uint64_t, joined_group> open;
  std::int64_t dropped = 0;  ///< groups in a row
  reward_watch watch{0, 0};
};

using join_pointer = join_actor::stateful_pointer<join_state>;

joined_group &open_group(join_pointer self, const group_ptr &group) {
  auto &joined = self->state.open[group->source->id];
  joined.group = group;
  return joined;
}

/// Of several figures by one model the oldest counts.
void note_model_version(joined_group &joined, const std::string &model, std::int64_t version) {
  if (model.empty()) return;
  const auto [known, fresh] = joined.model_versions.emplace(model, version);
  if (!fresh) known->second = std::min(known->second, version);
}

void count_drop(join_state &state, const sample_group &made) {
  state.dropped = made.samples.empty() ? state.dropped + 1 : 0;
  if (state.setup.dropped_most == 0 || state.dropped < state.setup.dropped_most) return;
  throw run_error(
      "the last " + std::to_string(state.dropped) + " groups were all dropped (" + made.drop_reason +
      "), and a run that draws others for them would not end; see whether the scorers tell answers "
      "apart, or raise give_up_after");
}

/// In the log, beside the progress, and in the summary.
void tell_equal_rewards(join_pointer self, const std::string &what) {
  const auto &setup = self->state.setup;
  if (what.empty()) return;
  if (setup.say) setup.say("[actors." + setup.name + "] " + what);
  if (setup.services.supervisor)
    self->send(setup.services.supervisor, report_atom::value, setup.name,
               std::make_shared<const nlohmann::json>(nlohmann::json{{"equal_rewards", what}}));
}

void finish_if_whole(join_pointer self, std::uint64_t id) {
  auto &state = self->state;
  const auto &joined = state.open.at(id);
  if (joined.scores.size() < state.setup.scorers.size()) return;
  if (state.setup.reference && joined.reference.empty()) return;
  if (state.setup.values && joined.values.empty()) return;
  const auto rewards = state.setup.rewards(joined);
  check_rewards(rewards, *joined.group, joined.scores);
  tell_equal_rewards(self, state.watch.look(*joined.group, rewards));
  const auto made = std::make_shared<sample_group>(state.setup.finish(joined));
  if (auto rest = left_out(joined, *made, rewards); !rest.lengths.empty())
    note(self, state.setup.services, std::move(rest));
  self->send(state.setup.sink, sample_group_ptr(made));
  count_drop(state, *made);
  state.open.erase(id);
}

join_actor::behavior_type join_behavior(join_pointer self, const join_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  self->state.watch = reward_watch(setup.watched_groups, setup.watched_updates);
  return {
      [self](const group_ptr &group) {
        open_group(self, group);
        finish_if_whole(self, group->source->id);
      },
      [self](const group_scores_ptr &scores) {
        check_scores(*scores);
        auto &joined = open_group(self, scores->group);
        joined.scores[scores->scorer] = scores->scores;
        note_model_version(joined, scores->model, scores->version);
        finish_if_whole(self, scores->group->source->id);
      },
      [self](const group_logprobs_ptr &logprobs) {
        check_token_figures(logprobs->logprobs, *logprobs->group, "model \"" + logprobs->model + "\"");
        auto &joined = open_group(self, logprobs->group);
        joined.reference = logprobs->logprobs;
        if (logprobs->version >= 0) note_model_version(joined, logprobs->model, logprobs->version);
        finish_if_whole(self, logprobs->group->source->id);
      },
      [self](const group_values_ptr &values) {
        check_token_figures(values->values, *values->group, "model \"" + values->model + "\"");
        auto &joined = open_group(self, values->group);
        joined.values = values->values;
        note_model_version(joined, values->model, values->version);
        finish_if_whole(self, values->group->source->id);
      },
  };
}

}  // namespace

join_actor spawn_join(caf::actor_system &system, join_setup setup) {
  return system.spawn(join_behavior, std::move(setup));
}

}  // namespace slipstream

// On-policy distillation: the policy answers, and a teacher says of every token how much likelier it finds
// it.
#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/objectives/advantages.hpp"
#include "runtime/kinds/distillation_keys.hpp"

namespace slipstream {
namespace {

/// Of each answer, the mean over its tokens of teacher's minus sampler's log-probability: what is to grow.
std::vector<double> agreement_with_teacher(const joined_group &joined) {
  std::vector<double> result;
  for (std::size_t i = 0; i < joined.reference.size(); ++i) {
    const auto &teacher = joined.reference[i];
    const auto &own = joined.group->rollouts[i].logprobs;
    double sum = 0;
    for (std::size_t t = 0; t < own.size(); ++t) sum += double{teacher[t]} - double{own[t]};
    result.push_back(own.empty() ? 0 : sum / static_cast<double>(own.size()));
  }
  return result;
}

sample_group distilled_samples(const joined_group &joined, const distillation_keys &keys) {
  auto result = advantage_samples(joined, agreement_with_teacher(joined),
                                  [](const std::vector<double> &as_they_are) { return as_they_are; });
  for (auto &entry : result.samples)
    for (std::size_t t = 0; t < entry.advantages.size(); ++t)
      entry.advantages[t] = static_cast<float>(
          distillation_advantage(entry.reference[t], entry.behaviour[t], keys.coefficient, keys.clip));
  return result;
}

/// Log-probabilities of other tokens than the policy's say nothing.
void check_teachers(preflight &checks, const actor_config &self) {
  const auto &policy = checks.models().describe(checks.learned_model()).spec;
  for (const auto *giver : checks.givers(self)) {
    if (giver->facts.role != actor_role::reference) continue;
    const auto &teacher = described_model(checks, *giver).spec;
    if (teacher.labels != 0)
      fail_at(giver->at, "[actors." + giver->name + "] teaches, but its model has a score head; name a " +
                             "language model");
    if (teacher.vocab_size != policy.vocab_size)
      fail_at(giver->at, "[actors." + giver->name + "] knows " + std::to_string(teacher.vocab_size) +
                             " tokens and \"" + checks.learned_model() + "\" " +
                             std::to_string(policy.vocab_size) + "; a teacher needs its student's tokenizer");
  }
}

}  // namespace

void add_distillation_kinds(registry &kinds) {
  kinds.add(kind_of(distillation_row(), [](const actor_config &config) {
    const auto keys = config.keys.get<distillation_keys>();
    const auto name = config.name;
    const auto finish = [keys](const joined_group &joined) { return distilled_samples(joined, keys); };
    node_plan plan;
    plan.verify = [=](preflight &checks) { check_teachers(checks, *checks.graph().find_actor(name)); };
    plan.spawn = [=](spawn_context &context) {
      auto setup = make_join(context, name, {});
      setup.rewards = agreement_with_teacher;
      setup.finish = finish;
      return context.own(name, spawn_join(context.system, std::move(setup)));
    };
    plan.offline = [=](preflight &) {
      offline_part part;
      part.samples = finish;
      return part;
    };
    plan.samples.emplace().advantages = true;
    return plan;
  }));
}

}  // namespace slipstream

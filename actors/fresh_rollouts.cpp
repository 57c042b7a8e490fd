#include "actors/fresh_rollouts.hpp"

#include "models/engine/random.hpp"
#include "models/network/place.hpp"

namespace slipstream {
namespace {

offline_part part_of(preflight &plan, const actor_config &actor) {
  const auto index = static_cast<std::size_t>(&actor - plan.graph().actors.data());
  const auto &offline = plan.plans()[index].offline;
  if (!offline)
    fail_at(actor.kind_at, "[actors." + actor.name + "] kind = \"" + actor.kind +
                               "\" cannot be asked without a run, so there is no fresh gradient; leave "
                               "--gradients out");
  return offline(plan);
}

// Far from every run's stream: a run samples from its seed itself.
std::uint64_t fresh_seed(std::uint64_t seed, std::int64_t repeat) {
  const auto block = philox(seed, 0x6772616469656e74ULL /* "gradient" */, static_cast<std::uint64_t>(repeat));
  return static_cast<std::uint64_t>(block.words[0]) << 32 | block.words[1];
}

}  // namespace

fresh_rollouts::fresh_rollouts(preflight &plan)
    : seed_(plan.graph().run.seed), mode_(plan.graph().run.numerics) {
  const auto &learner = plan.learner();
  if (!plan.samples_own_policy())
    fail_at(learner.at,
            "[actors." + learner.name +
                "] learns from what its own model did not sample: nothing there is stale, so there "
                "is no fresh gradient; leave --gradients out");
  const auto &join = *plan.givers(learner).front();
  join_ = part_of(plan, join);
  loader_ = part_of(plan, plan.loader());
  const auto &sampler = *plan.upstream(learner, actor_role::sampler);
  sampler_ = part_of(plan, sampler);
  for (const auto *giver : plan.givers(join)) {
    figures_[giver->name] = part_of(plan, *giver);
    if (plan.givers(*giver).front() != &sampler)
      fail_at(giver->at, "[actors." + giver->name +
                             "] does not take from the sampler itself, so it cannot be asked without a run; "
                             "leave --gradients out");
  }
}

std::vector<std::shared_ptr<rollout_group>> fresh_rollouts::sample(
    const std::vector<sample_group_ptr> &batch, const std::map<std::uint64_t, std::int64_t> &rows,
    const std::shared_ptr<const transformer> &weights, std::int64_t version, std::int64_t repeat) const {
  const auto &how = *sampler_.sampler;
  engine decoder(how.engine);
  decoder.set_weights(place(weights, how.device, mode_), version);
  std::map<std::uint64_t, std::shared_ptr<rollout_group>> groups;
  for (const auto &stale : batch) {
    const auto &first = stale->samples.front();
    auto line = std::make_shared<example>(*loader_.row(rows.at(stale->id)));
    line->id = stale->id;
    auto group = std::make_shared<rollout_group>();
    group->source = line;
    group->min_version = version;
    group->prompt_tokens.assign(first.tokens.begin(), first.tokens.begin() + first.prompt_length);
    auto request = how.request;
    request.id = stale->id;
    request.prompt = group->prompt_tokens;
    request.seed = fresh_seed(seed_, repeat);
    decoder.submit(std::move(request));
    groups.emplace(stale->id, std::move(group));
  }
  while (decoder.running() + decoder.queued() > 0)
    for (auto &done : decoder.step()) groups.at(done.id)->rollouts = std::move(done.samples);
  std::vector<std::shared_ptr<rollout_group>> sampled;
  for (auto &[id, group] : groups) {
    for (const auto &rollout : group->rollouts) group->texts.push_back(how.text->decode(rollout.tokens));
    sampled.push_back(std::move(group));
  }
  return sampled;
}

std::vector<sample_group_ptr> fresh_rollouts::draw(const std::vector<sample_group_ptr> &batch,
                                                   const std::map<std::uint64_t, std::int64_t> &rows,
                                                   const std::shared_ptr<const transformer> &weights,
                                                   std::int64_t version, std::int64_t repeat) const {
  std::vector<sample_group_ptr> result;
  for (const auto &group : sample(batch, rows, weights, version, repeat)) {
    joined_group joined;
    joined.group = group;
    for (const auto &[actor, part] : figures_) {
      if (part.scores) joined.scores[actor] = part.scores(*group);
      if (!part.logprobs) continue;
      if (auto logprobs = part.logprobs(*group); !logprobs.empty()) joined.reference = std::move(logprobs);
    }
    result.push_back(std::make_shared<const sample_group>(join_.samples(joined)));
  }
  return result;
}

}  // namespace slipstream

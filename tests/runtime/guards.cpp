#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include "runtime/learning/trainer.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

sample_group_ptr group_of(std::uint64_t id, std::vector<std::int64_t> tokens) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = 1;
  group->samples.resize(1);
  group->samples[0].tokens = std::move(tokens);
  group->samples[0].prompt_length = 1;
  return group;
}

// A model that has learnt `usual` finds `odd` very unlikely, and the guard sees a large loss.
const std::vector<std::int64_t> usual{5, 6, 7, 2}, odd{5, 9, 10, 4};

model_spec tiny_spec() {
  model_spec spec;
  spec.vocab_size = 12, spec.hidden_size = 8, spec.intermediate_size = 12, spec.layers = 1, spec.heads = 2;
  spec.kv_heads = 2, spec.head_dim = 4, spec.max_positions = 16, spec.tied_embeddings = true;
  return spec;
}

trainer_options options_with(guard_action act, std::int64_t keep_every = 0) {
  trainer_options options;
  options.objective = &find_objective("sft");
  options.loss = options.objective->defaults;
  options.rate = {.rate = 5e-2, .total = 50};
  options.guards = {{"loss", 4.0, {}, act}};
  options.keep_every = keep_every;
  return options;
}

transformer fresh_model() {
  const auto spec = tiny_spec();
  return {spec, initial_parameters(spec, 1), numerics::exact};
}

trained_version update(trainer &core, std::vector<sample_group_ptr> batch) {
  core.begin(std::move(batch), 0);
  while (core.slice()) {
  }
  return core.complete(0);
}

trained_version usual_update(trainer &core) {
  return update(core, {group_of(1, usual), group_of(2, usual)});
}

/// All that a trainer's next update depends on, as it is now.
struct kept {
  at::Tensor parameters, m, v;
  std::int64_t step;

  explicit kept(trainer &core)
      : parameters(core.model().trainable().detach().clone()),
        m(core.optimizer().m.clone()),
        v(core.optimizer().v.clone()),
        step(core.optimizer().step) {}
  bool operator==(const kept &other) const {
    return at::equal(parameters, other.parameters) && at::equal(m, other.m) && at::equal(v, other.v) &&
           step == other.step;
  }
};

trainer trained(trainer_options options, int updates) {
  trainer core(std::move(options), fresh_model());
  for (int i = 0; i < updates; ++i) REQUIRE(usual_update(core).tripped.empty());
  return core;
}

}  // namespace

TEST_CASE("a guard that skips leaves weights and moments as they were, and the batch counts as given up") {
  auto core = trained(options_with(guard_action::skip), 20);
  const kept before(core);
  const auto done = update(core, {group_of(7, odd), group_of(8, odd)});
  CHECK(kept(core) == before);
  CHECK(at::equal(done.weights->trainable(), before.parameters));
  CHECK(done.version == 21);
  CHECK(done.ids == std::vector<std::uint64_t>{7, 8});
  CHECK_THAT(done.tripped, test::Contains("loss ") && test::Contains(" above 4"));
  CHECK(done.metrics["guard"] == done.tripped);
  const auto next = usual_update(core);  // no gradient of the skipped batch is left
  CHECK(next.tripped.empty());
  CHECK_FALSE(next.metrics.contains("guard"));
  auto other = trained(options_with(guard_action::skip), 20);
  usual_update(other);
  CHECK(kept(other) == kept(core));
}

TEST_CASE("a guard that rolls back returns to the newest state kept") {
  auto core = trained(options_with(guard_action::roll_back, 10), 20);
  const kept at_20(core);
  for (int i = 0; i < 3; ++i) usual_update(core);
  CHECK_FALSE(kept(core) == at_20);
  const auto done = update(core, {group_of(7, odd)});
  CHECK(kept(core) == at_20);
  CHECK(done.version == 24);  // versions go on
  CHECK_THAT(done.tripped, test::Contains("rolled back"));
}

TEST_CASE(
    "a trainer that goes on from a checkpoint trips a guard and rolls back to the bit as one that was not "
    "stopped") {
  auto whole = trained(options_with(guard_action::roll_back, 10), 20);
  trainer resumed(options_with(guard_action::roll_back, 10),
                  whole.model().with_trainable(whole.model().trainable().detach().clone()));
  auto moments = whole.optimizer();
  moments.m = moments.m.clone();
  moments.v = moments.v.clone();
  resumed.resume(moments, whole.state());
  for (auto *core : {&whole, &resumed}) {
    usual_update(*core);
    CHECK_FALSE(update(*core, {group_of(7, odd)}).tripped.empty());
    usual_update(*core);
  }
  CHECK(kept(whole) == kept(resumed));
  CHECK(whole.version() == resumed.version());
}

TEST_CASE("a guard in the middle of a batch keeps what its first step did, unless it rolls back") {
  auto skipping = options_with(guard_action::skip), rolling = options_with(guard_action::roll_back, 20);
  skipping.mini_batches = rolling.mini_batches = 2;
  skipping.guards[0].above = rolling.guards[0].above = 5.5;  // of the sum over both halves
  const std::vector<sample_group_ptr> half_odd{group_of(1, usual), group_of(2, odd)};
  auto one = trained(skipping, 40);
  const kept before(one);
  const auto done = update(one, half_odd);
  CHECK(done.tripped.empty());  // it was trained on, in part
  CHECK(done.metrics.contains("guard"));
  CHECK(one.optimizer().step == before.step + 1);
  auto two = trained(rolling, 40);
  const kept kept_at_40(two);
  CHECK_FALSE(update(two, half_odd).tripped.empty());
  CHECK(kept(two) == kept_at_40);
}

TEST_CASE("a figure that the update does not have trips no guard") {
  auto options = options_with(guard_action::skip);
  options.guards = {{"weight_max", 0.0, {}, guard_action::skip}};
  trainer core(options, fresh_model());
  CHECK(usual_update(core).tripped.empty());
}

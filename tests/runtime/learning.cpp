#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/collate.hpp"
#include "runtime/learning/mini_batches.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/learning/shares.hpp"
#include "runtime/learning/trainer.hpp"
#include "tests/support/rank_courses.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

sample make_sample(std::vector<std::int64_t> tokens, std::int64_t prompt_length) {
  sample result;
  result.tokens = std::move(tokens);
  result.prompt_length = prompt_length;
  return result;
}

/// A sample of one prompt token and an answer made by `versions`.
sample aged(std::vector<std::int64_t> versions) {
  auto result = make_sample(std::vector<std::int64_t>(versions.size() + 1, 3), 1);
  result.versions = std::move(versions);
  return result;
}

sample_group_ptr group_of(std::uint64_t id, std::vector<sample> samples) {
  auto result = std::make_shared<sample_group>();
  result->id = id;
  result->rollouts = static_cast<std::int64_t>(samples.size());
  result->samples = std::move(samples);
  return result;
}

/// Two rollouts for the prompt [5, 6]: [7, 2] and [8].
joined_group two_rollouts() {
  auto group = std::make_shared<rollout_group>();
  auto source = std::make_shared<example>();
  source->id = 11;
  group->source = source;
  group->prompt_tokens = {5, 6};
  group->rollouts = {{{7, 2}, {-0.5F, -0.25F}, {3, 4}, finish_reason::stop},
                     {{8}, {-1.0F}, {3}, finish_reason::length}};
  joined_group result;
  result.group = group;
  return result;
}

template <class T>
std::vector<T> values(const at::Tensor &tensor) {
  const auto flat = tensor.contiguous();
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

}  // namespace

TEST_CASE("collate pads on the right and puts response values after each prompt") {
  auto first = make_sample({5, 6, 7, 2}, 2);
  first.behaviour = {-0.5F, -0.25F};
  first.advantages = {1.0F, 2.0F};
  first.score = 0.75;
  auto second = make_sample({5, 8}, 1);
  second.behaviour = {-1.0F};
  second.advantages = {-3.0F};
  second.score = -0.5;
  const auto batch = collate({&first, &second}, 9, at::Device("cpu"));
  CHECK(batch.token_count == 6);
  CHECK(batch.tokens.ids.sizes() == at::IntArrayRef({2, 4}));
  CHECK(values<std::int64_t>(batch.tokens.ids) == std::vector<std::int64_t>{5, 6, 7, 2, 5, 8, 9, 9});
  CHECK(values<std::int64_t>(batch.tokens.lengths) == std::vector<std::int64_t>{4, 2});
  CHECK(values<float>(batch.inputs.mask) == std::vector<float>{0, 0, 1, 1, 0, 1, 0, 0});
  CHECK(values<float>(batch.inputs.behaviour) == std::vector<float>{0, 0, -0.5F, -0.25F, 0, -1, 0, 0});
  CHECK(values<float>(batch.inputs.advantages) == std::vector<float>{0, 0, 1, 2, 0, -3, 0, 0});
  CHECK(values<float>(batch.inputs.targets) == std::vector<float>{0.75F, -0.5F});
  CHECK_FALSE(batch.inputs.reference.defined());
}

TEST_CASE("micro-batches hold sequences of like length, and pairs stay together") {
  std::vector<sample> samples;
  for (const std::size_t length : {5, 2, 3, 2, 4, 1})
    samples.push_back(make_sample(std::vector<std::int64_t>(length, 1), 1));
  std::vector<const sample *> given;
  for (const auto &entry : samples) given.push_back(&entry);
  const auto indices = [&](std::int64_t unit, std::int64_t rows) {
    std::vector<std::vector<std::ptrdiff_t>> result;
    for (const auto &part : split_by_length(given, unit, rows)) {
      result.emplace_back();
      for (const auto *entry : part) result.back().push_back(entry - samples.data());
    }
    return result;
  };
  using parts = std::vector<std::vector<std::ptrdiff_t>>;
  CHECK(indices(1, 2) == parts{{5, 1}, {3, 2}, {4, 0}});
  CHECK(indices(1, 4) == parts{{5, 1, 3, 2}, {4, 0}});
  CHECK(indices(1, 100) == parts{{5, 1, 3, 2, 4, 0}});
  CHECK(indices(2, 4) == parts{{2, 3, 4, 5}, {0, 1}});
  CHECK(indices(2, 3) == parts{{2, 3}, {4, 5}, {0, 1}});
  CHECK(indices(2, 1) == parts{{2, 3}, {4, 5}, {0, 1}});  // a pair is never cut
  CHECK(split_by_length({}, 1, 4).empty());
}

TEST_CASE("staleness is counted over tokens") {
  const std::vector<sample_group_ptr> batch{group_of(0, {aged({4, 5}), aged({5})}), group_of(1, {aged({2})})};
  const auto figures = measure_staleness(batch, 5);
  CHECK(figures.any);
  CHECK(figures.mean == 1.0);
  CHECK(figures.largest == 3);
  const auto without = measure_staleness({group_of(0, {make_sample({1, 2}, 1)})}, 5);
  CHECK_FALSE(without.any);
  CHECK(without.largest == 0);
}

TEST_CASE("a broken staleness contract tells its history") {
  const std::vector<sample_group_ptr> batch{group_of(3, {aged({5})}),
                                            group_of(9, {aged({5}), aged({3, 2, 4})})};
  CHECK_NOTHROW(assert_staleness(batch, 5, 3));
  CHECK_THROWS_WITH(
      assert_staleness(batch, 5, 2),
      "the staleness contract is broken: prompt 9, response token 1 was made by version 2 and is "
      "trained on at version 5: age 3, promised at most 2 (versions along the answer: 3 2 4)");
  CHECK_THROWS_AS(assert_staleness(batch, 4, 3), run_error);  // version 5 does not exist yet
  auto cached = aged({5, 5});  // over keys and values that older weights computed
  cached.cache_versions = {5, 2};
  CHECK_NOTHROW(assert_staleness({group_of(4, {cached})}, 5, 3));
  CHECK_THROWS_WITH(assert_staleness({group_of(4, {cached})}, 5, 2),
                    test::Contains("response token 1 was made by version 5 over a cache of version 2"));
}

TEST_CASE("a token is as old as the oldest weights in the cache that it saw") {
  auto entry = aged({5, 5, 5});
  entry.cache_versions = {5, 2, 4};
  const std::vector<sample_group_ptr> batch{group_of(9, {entry})};
  CHECK(measure_staleness(batch, 5).largest == 3);
  CHECK(measure_staleness(batch, 5).mean == Approx(4.0 / 3));
  CHECK_NOTHROW(assert_staleness(batch, 5, 3));
  CHECK_THROWS_WITH(assert_staleness(batch, 5, 2),
                    test::Contains("response token 1 was made by version 5 over a cache of version 2") &&
                        test::Contains("age 3, promised at most 2"));
  CHECK_THROWS_AS(assert_staleness(batch, 4, 3),
                  run_error);  // whatever the cache, version 5 does not exist yet
}

TEST_CASE("the figures of a batch come from its data, and only where there are data") {
  auto good = aged({1, 1, 1});
  good.score = 1;
  good.advantages = {0.5F, 0.5F, 0.5F};
  auto bad = aged({0});
  bad.score = 0;
  bad.advantages = {-0.5F};
  auto flat = aged({1, 1});
  flat.score = 0.5;
  flat.advantages = {0, 0};
  const auto figures = batch_figures({group_of(0, {good, bad}), group_of(1, {flat, flat})}, 1);
  CHECK(figures == nlohmann::json{{"length_mean", 2.0},
                                  {"reward_mean", 0.5},
                                  {"reward_std", std::sqrt(0.125)},
                                  {"zero_groups", 0.5},
                                  {"staleness_mean", 0.125},
                                  {"staleness_max", 1}});
  CHECK(batch_figures({group_of(0, {make_sample({1, 2, 3}, 1)})}, 1) == nlohmann::json{{"length_mean", 2.0}});
}

TEST_CASE("scores are summed by their weights") {
  auto joined = two_rollouts();
  joined.scores = {{"exact", {1.0, 0.0}}, {"style", {0.5, 0.25}}};
  CHECK(combine_scores(joined, {}) == std::vector<double>{1.5, 0.25});
  CHECK(combine_scores(joined, {{"style", -2.0}}) == std::vector<double>{0.0, -0.5});
}

TEST_CASE("every rollout becomes a sample with its advantage at every token") {
  auto joined = two_rollouts();
  joined.reference = {{-0.6F, -0.3F}, {-0.9F}};
  const auto group = advantage_samples(joined, {1.0, 0.0}, [](const std::vector<double> &rewards) {
    return std::vector<double>{rewards[0] - 0.5, rewards[1] - 0.5};
  });
  CHECK(group.id == 11);
  CHECK(group.rollouts == 2);
  CHECK(group.drop_reason.empty());
  REQUIRE(group.samples.size() == 2);
  const auto &first = group.samples[0];
  CHECK(first.tokens == std::vector<std::int64_t>{5, 6, 7, 2});
  CHECK(first.prompt_length == 2);
  CHECK(first.behaviour == std::vector<float>{-0.5F, -0.25F});
  CHECK(first.reference == std::vector<float>{-0.6F, -0.3F});
  CHECK(first.advantages == std::vector<float>{0.5F, 0.5F});
  CHECK(first.versions == std::vector<std::int64_t>{3, 4});
  CHECK(first.score == 1.0);
  CHECK(group.samples[1].advantages == std::vector<float>{-0.5F});
}

TEST_CASE("a pair is the best and the worst answer, and a tie is dropped") {
  const auto joined = two_rollouts();
  const auto pair = pair_samples(joined, {0.2, 0.9});
  REQUIRE(pair.samples.size() == 2);
  CHECK(pair.samples[0].tokens == std::vector<std::int64_t>{5, 6, 8});
  CHECK(pair.samples[0].score == 0.9);
  CHECK(pair.samples[1].tokens == std::vector<std::int64_t>{5, 6, 7, 2});
  CHECK(pair.samples[1].score == 0.2);
  CHECK(pair.rollouts == 2);
  const auto tie = pair_samples(joined, {0.5, 0.5});
  CHECK(tie.samples.empty());
  CHECK(tie.drop_reason == "tie");
  CHECK(tie.rollouts == 2);
  CHECK(tie.id == 11);
}

TEST_CASE("answers that no sample was made of are left out, each answer once") {
  auto joined = two_rollouts();
  const auto pair = pair_samples(joined, {0.2, 0.9});
  CHECK(left_out(joined, pair, {0.2, 0.9}).lengths.empty());
  const auto tie = left_out(joined, pair_samples(joined, {0.5, 0.5}), {0.5, 0.5});
  CHECK(tie.id == 11);
  CHECK(tie.lengths == std::vector<std::int64_t>{2, 1});
  CHECK(tie.rewards == std::vector<double>{0.5, 0.5});
  auto more = *joined.group;  // the same two answers again
  for (std::size_t i = 0; i < 2; ++i) more.rollouts.push_back(joined.group->rollouts[i]);
  joined.group = std::make_shared<rollout_group>(more);
  const auto rest = left_out(joined, pair, {0.2, 0.9, 0.1, 0.7});
  CHECK(rest.lengths == std::vector<std::int64_t>{2, 1});
  CHECK(rest.rewards == std::vector<double>{0.1, 0.7});
}

TEST_CASE("a line of a dataset becomes closed answers") {
  const auto text = make_character_tokenizer("ab=");
  example line;
  line.id = 4;
  line.prompt = "a=";
  line.response = "b";
  line.rejected = "ab";
  line.score = 0.5;
  const auto closed = [&](const char *answer) {
    auto tokens = text->encode(std::string("a=") + answer);
    tokens.push_back(text->eos());
    return tokens;
  };
  const text_style style{text, find_chat("plain")};
  const auto demonstration = example_samples(line, example_form::demonstration, style);
  CHECK(demonstration.id == 4);
  CHECK(demonstration.rollouts == 1);
  REQUIRE(demonstration.samples.size() == 1);
  CHECK(demonstration.samples[0].tokens == closed("b"));
  CHECK(demonstration.samples[0].prompt_length == 2);
  const auto pair = example_samples(line, example_form::pair, style);
  REQUIRE(pair.samples.size() == 2);
  CHECK(pair.samples[0].tokens == closed("b"));
  CHECK(pair.samples[1].tokens == closed("ab"));
  CHECK(example_samples(line, example_form::rated, style).samples.at(0).score == 0.5);
}

TEST_CASE("a learner of adapters trains and publishes these alone, over weights that are shared") {
  model_spec spec;
  spec.vocab_size = 12, spec.hidden_size = 8, spec.intermediate_size = 12, spec.layers = 1, spec.heads = 2;
  spec.kv_heads = 2, spec.head_dim = 4, spec.max_positions = 16, spec.tied_embeddings = true;
  const at::Tensor base = initial_parameters(spec, 1), kept = base.clone();
  const adapter_spec lora{2, 4.0, false, {"all-linear"}};
  const transformer initial(spec, base, lora, initial_adapter(spec, lora, base, 2), numerics::exact);
  trainer_options options;
  options.objective = &find_objective("sft");
  options.loss = options.objective->defaults;
  options.rate = {.rate = 1e-2, .total = 3};
  trainer core(options, initial);
  const transformer reference = initial;
  std::vector<std::shared_ptr<const transformer>> published;
  for (int update = 0; update < 3; ++update) {
    core.begin({group_of(1, {make_sample({5, 6, 7, 2}, 2)}), group_of(2, {make_sample({3, 8, 2}, 1)})}, 0);
    while (core.slice()) {
    }
    published.push_back(core.complete(0).weights);
  }
  CHECK(core.optimizer().m.numel() == adapter_count(spec, lora));
  CHECK(at::equal(base, kept));
  CHECK(published[0]->flat().data_ptr() == base.data_ptr());
  CHECK(published[2]->trainable().numel() == adapter_count(spec, lora));
  CHECK_FALSE(at::equal(published[2]->trainable(), published[0]->trainable()));
  CHECK_FALSE(at::equal(published[0]->trainable(), reference.trainable()));
}

TEST_CASE("a ranking becomes one sample an answer with its place, and a tie's samples carry one score") {
  const auto text = make_character_tokenizer("ab=");
  const text_style style{text, find_chat("plain")};
  example line;
  line.prompt = "a=";
  line.ranking = {"b", "ab", "a"};
  const auto ranked = example_samples(line, example_form::ranking, style).samples;
  REQUIRE(ranked.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(ranked[i].score == static_cast<double>(i + 1));
    CHECK(ranked[i].prompt_length == 2);
  }
  CHECK(ranked[1].tokens.size() == 5);
  line.response = "b", line.rejected = "ab", line.tie = true;
  const auto tied = example_samples(line, example_form::pair, style).samples;
  CHECK(tied[0].score == tied[1].score);
  line.tie = false;
  const auto better = example_samples(line, example_form::pair, style).samples;
  CHECK_FALSE(better[0].score == better[1].score);
  const auto &some = tied[0];
  const auto mixed = collate({&better[0], &better[1], &some, &tied[1]}, 0, at::kCPU).inputs.targets;
  CHECK(mixed.isnan().sum().item<std::int64_t>() == 2);
  CHECK(mixed[2].item<float>() == mixed[3].item<float>());
}

TEST_CASE("rankings of several lengths stay whole in shares and micro-batches") {
  std::vector<sample> samples;
  for (const int places : {3, 2, 4})
    for (int place = 1; place <= places; ++place) {
      samples.push_back(
          make_sample(std::vector<std::int64_t>(static_cast<std::size_t>(places + place), 1), 1));
      samples.back().score = place;
    }
  std::vector<const sample *> given;
  for (const auto &entry : samples) given.push_back(&entry);
  const auto units = units_of(input_kind::score_lists, given);
  CHECK(units == unit_sizes{3, 2, 4});
  for (const auto &share : share_by_tokens(given, units, 2))
    for (const auto &part : split_by_length(share, units_of(input_kind::score_lists, share), 5)) {
      CHECK(part.front()->score == 1);
      for (std::size_t i = 1; i < part.size(); ++i)
        CHECK((part[i]->score == 1 || part[i]->score == part[i - 1]->score + 1));
    }
  const auto counted = count_samples(find_objective("reward_rankings"), given);
  CHECK(counted.sequences == 3);
  samples[0].score = 2;
  CHECK_THROWS_AS(units_of(input_kind::score_lists, given), input_error);
}

TEST_CASE("KTO's mismatched samples have each prompt and the next one's answer, no longer than the longest") {
  auto one = make_sample({1, 2, 3}, 1), two = make_sample({4, 5, 6, 7, 8}, 3);
  two.trained = {1, 0};
  const auto mixed = mismatched_samples({&one, &two});
  REQUIRE(mixed.size() == 2);
  CHECK(mixed[0].tokens == std::vector<std::int64_t>{1, 7, 8});
  CHECK(mixed[0].prompt_length == 1);
  CHECK(mixed[0].trained == std::vector<std::uint8_t>{1, 0});
  CHECK(mixed[1].tokens == std::vector<std::int64_t>{4, 5, 6, 2, 3});
  auto wordy = make_sample({9, 1, 1, 1, 1, 1}, 1);
  const auto cut = mismatched_samples({&two, &wordy});
  CHECK(cut[0].tokens.size() == 6);
  CHECK_THROWS_AS(mismatched_samples({&one}), input_error);
}

TEST_CASE("KTO learns with any cut into micro-batches what it learns in one, by one reference point a step") {
  using namespace test::ranks;
  auto options = options_of("kto", 1);
  options.rate.rate = 1e-2;
  const auto given = judged(batch_of(0), input_kind::labelled_answers);
  options.micro_batch = 100;
  trainer whole(options, small_model(0));
  options.micro_batch = 2;
  trainer parts(options, small_model(0));
  for (int update = 0; update < 3; ++update) {
    const auto one = train(whole, given).metrics, many = train(parts, given).metrics;
    for (const char *figure : {"loss", "reference_point", "accuracy", "margin"})
      CHECK(one.at(figure).get<double>() == Approx(many.at(figure).get<double>()).margin(1e-5));
  }
  CHECK(at::allclose(whole.model().flat(), parts.model().flat(), 1e-4, 1e-5));
  CHECK_FALSE(at::equal(whole.model().flat(), small_model(0).flat()));
}

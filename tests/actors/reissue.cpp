#include <ATen/core/Tensor.h>

#include "actors/ledger.hpp"
#include "actors/router.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using slipstream::test::virtual_time;

namespace {

using prompts_got = std::shared_ptr<std::vector<work_ptr>>;

/// A sampler that only notes what it is given.
work_sink noting(virtual_time &world, const prompts_got &got) {
  return world.spawn<work_sink>([got](work_sink::pointer) {
    return work_sink::behavior_type{[got](const work_ptr &prompt) { got->push_back(prompt); }};
  });
}

loader_actor counting_loader(virtual_time &world) {
  return world.spawn<loader_actor>([next = std::uint64_t{0}](loader_actor::pointer) mutable {
    return loader_actor::behavior_type{[next](draw_atom, std::int64_t count) mutable -> drawn_batch_ptr {
                                         auto drawn_now = std::make_shared<std::vector<drawn>>();
                                         for (; count > 0; --count) {
                                           auto line = std::make_shared<example>();
                                           line->id = next++;
                                           drawn_now->push_back({line, {1}, nullptr});
                                         }
                                         return drawn_now;
                                       },
                                       [](draw_atom, const ids_ptr &) -> drawn_batch_ptr {
                                         return std::make_shared<const std::vector<drawn>>();
                                       }};
  });
}

/// A ledger with batches of two groups of two, and two samplers with room for two prompts each.
struct two_samplers {
  virtual_time world;
  run_services services = test::make_services(world);
  ledger_actor books = world.own(
      spawn_ledger(world.system(), ledger_machine(ledger(admission(4, 1), 2, 100), true), services));
  prompts_got first = std::make_shared<std::vector<work_ptr>>();
  prompts_got second = std::make_shared<std::vector<work_ptr>>();
  work_sink a = noting(world, first), b = noting(world, second);

  two_samplers() {
    caf::anon_send(books, subscribe_atom::value, counting_loader(world), sample_sink());
    world.settle();
  }
  void grant(const work_sink &sampler, std::int64_t prompts, std::int64_t version) {
    caf::anon_send(books, credit_atom::value, sampler, prompts, version);
    world.settle();
  }
  void lose(const work_sink &sampler, const lost_work &held) {
    caf::anon_send(books, lost_atom::value, sampler, lost_work_ptr(std::make_shared<lost_work>(held)));
    world.settle();
  }
  ledger_totals totals() {
    const auto told = test::request<ledger_totals_ptr>(world, books, totals_atom::value);
    world.settle();
    return **told->reply;
  }
};

std::vector<std::uint64_t> ids(const prompts_got &got) {
  std::vector<std::uint64_t> result;
  for (const auto &prompt : *got) result.push_back(prompt->source->id);
  return result;
}

std::vector<partial_generation> two_tokens() {
  partial_generation part;
  part.answer.tokens = {4, 5};
  part.answer.logprobs = {-1, -2};
  return {part, {}};
}

}  // namespace

TEST_CASE("what a lost sampler had goes to another one, the oldest draw first") {
  two_samplers run;
  run.grant(run.a, 2, 0);
  REQUIRE(ids(run.first) == std::vector<std::uint64_t>{0, 1});
  run.lose(run.a, {{{0, nullptr}, {1, nullptr}}, "a is gone"});
  CHECK(run.totals().waiting == 8);
  CHECK(run.totals().running == 0);
  CHECK(run.totals().reissued == 4);
  CHECK(ids(run.first).size() == 2);  // it has room no more
  run.grant(run.b, 3, 0);
  CHECK(ids(run.second) == std::vector<std::uint64_t>{0, 1, 2});
  CHECK((*run.second)[0]->min_version == (*run.first)[0]->min_version);
  run.grant(run.a, 1, 0);  // it is back
  CHECK(ids(run.first) == std::vector<std::uint64_t>{0, 1, 3});
  CHECK(run.totals().drawn == 8);
}

TEST_CASE("a lost prompt goes on behind its journalled tokens") {
  two_samplers run;
  run.grant(run.a, 1, 0);
  lost_work held{{{0, std::make_shared<const std::vector<partial_generation>>(two_tokens())}}, "a is gone"};
  run.lose(run.a, held);
  CHECK(run.totals().partial == 2);
  run.grant(run.b, 1, 0);
  REQUIRE(ids(run.second) == std::vector<std::uint64_t>{0});
  REQUIRE((*run.second)[0]->begun);
  CHECK(token_count(*(*run.second)[0]->begun) == 2);
  CHECK(run.totals().reissued == 2);
  CHECK(run.totals().running == 2);
  // it is lost once more, with nothing new: what it began with is not forgotten
  run.lose(run.b, {{{0, nullptr}}, "b is gone"});
  run.grant(run.a, 1, 0);
  REQUIRE(run.first->size() == 2);
  CHECK(token_count(*run.first->back()->begun) == 2);
  CHECK(run.totals().reissued == 4);
}

TEST_CASE("a prompt is never given to a sampler whose weights are too old, whoever had it before") {
  two_samplers run;
  run.grant(run.a, 2, 0);
  run.grant(run.b, 1, 0);
  REQUIRE(ids(run.first) == std::vector<std::uint64_t>{0, 1});
  REQUIRE(ids(run.second) == std::vector<std::uint64_t>{2});
  run.grant(run.a, 2, 3);  // newer weights, so more is drawn, for newer weights only
  const auto newest = run.first->back();
  REQUIRE(newest->source->id > 2);
  std::map<std::uint64_t, begun_samples> all;
  std::int64_t most = 0;
  for (const auto &prompt : *run.first) {
    all[prompt->source->id] = nullptr;
    most = std::max(most, prompt->min_version);
  }
  run.lose(run.a, {all, "a is gone"});
  run.grant(run.b, 8, 0);
  for (const auto &prompt : *run.second) CHECK(prompt->min_version <= 0);
  const auto given = run.second->size();
  run.grant(run.b, 0, most);
  CHECK(run.second->size() > given);
}

namespace {

using groups_got = std::shared_ptr<std::vector<group_ptr>>;

rollout_sink noting_groups(virtual_time &world, const groups_got &got) {
  return world.spawn<rollout_sink>([got](rollout_sink::pointer) {
    return rollout_sink::behavior_type{[got](const group_ptr &group) { got->push_back(group); }};
  });
}

group_ptr group_of(std::uint64_t id) {
  auto line = std::make_shared<example>();
  line->id = id;
  auto group = std::make_shared<rollout_group>();
  group->source = line;
  return group;
}

group_scores_ptr scores_of(const group_ptr &group) {
  auto scores = std::make_shared<group_scores>();
  scores->group = group;
  return scores;
}

}  // namespace

TEST_CASE("groups are shared out among replicas, and a lost one's go to the others; figures count once") {
  virtual_time world;
  const auto scored = std::make_shared<std::vector<std::uint64_t>>();
  const auto sink = world.spawn<score_sink>([scored](score_sink::pointer) {
    return score_sink::behavior_type{
        [scored](const group_scores_ptr &scores) { scored->push_back(scores->group->source->id); }};
  });
  const auto router = world.own(spawn_router(world.system(), {{sink}, {}, {}}));
  const auto left = std::make_shared<std::vector<group_ptr>>(),
             right = std::make_shared<std::vector<group_ptr>>();
  caf::anon_send(router, subscribe_atom::value, std::int64_t{0}, noting_groups(world, left));
  caf::anon_send(router, subscribe_atom::value, std::int64_t{1}, noting_groups(world, right));
  caf::anon_send(router, group_of(0));
  world.settle();
  CHECK(left->size() + right->size() == 0);  // nobody is ready
  caf::anon_send(router, ready_atom::value, std::int64_t{0});
  caf::anon_send(router, ready_atom::value, std::int64_t{1});
  for (const std::uint64_t id : {1, 2, 3}) caf::anon_send(router, group_of(id));
  world.settle();
  CHECK(left->size() == 2);
  CHECK(right->size() == 2);
  caf::anon_send(router, scores_of(left->front()));
  caf::anon_send(router, lost_atom::value, std::int64_t{0});
  world.settle();
  CHECK(*scored == std::vector<std::uint64_t>{0});
  REQUIRE(right->size() == 3);
  CHECK(right->back() == left->back());
  for (const auto &group : *right) caf::anon_send(router, scores_of(group));
  caf::anon_send(router, scores_of(left->back()));  // late, from the one that was thought lost
  world.settle();
  CHECK(scored->size() == 4);
}

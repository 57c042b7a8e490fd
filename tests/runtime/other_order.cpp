#include "runtime/journal/other_order.hpp"

#include <nlohmann/json.hpp>

#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using ids = std::vector<std::uint64_t>;

journal_record kept(std::uint64_t id, std::int64_t version = 0) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = 1;
  group->samples.resize(1);
  group->samples[0].versions = {version};
  return {0, group_kept{group}};
}

/// A run of batches of two groups in strict order, whose groups reached the buffer in another one.
struct story {
  order_rule choose;
  schedule_rules rules;
  std::vector<ids> batches{};
  std::int64_t version = 0;

  explicit story(const char *order, std::int64_t max_staleness = 5) {
    for (const auto &row : order_rows())
      if (row.name == order) choose = row.choose;
    rules.max_staleness = max_staleness;
    rules.window = schedule_number::constant(3);
    rules.when_late = late_rule::accept;
  }
  void tell(other_order &order, const std::vector<journal_record> &records) {
    for (const auto &record : records) {
      order.read(record);
      while (const auto batch = order.take(version)) {
        batches.emplace_back();
        for (const auto &group : *batch) batches.back().push_back(group->id);
        ++version;
      }
    }
  }
};

std::vector<journal_record> a_run() {
  std::vector<journal_record> records;
  for (std::uint64_t id = 0; id < 8; ++id) records.push_back({0, prompt_drawn{id, 0, 0, 0}});
  for (const std::uint64_t id : {3, 1, 2, 0}) records.push_back(kept(id));
  records.push_back({0, batch_consumed{1, {0, 1}}});
  records.push_back({0, batch_consumed{2, {2, 3}}});
  for (const std::uint64_t id : {7, 6, 4, 5}) records.push_back(kept(id));
  records.push_back({0, batch_consumed{3, {4, 5}}});
  return records;
}

}  // namespace

TEST_CASE("another order takes its batches when the run's own learner was given one, from what was there") {
  struct expected {
    const char *order;
    std::vector<ids> batches;
  };
  for (const auto &[name, batches] :
       {expected{"strict", {{0, 1}, {2, 3}, {4, 5}}}, expected{"completion", {{3, 1}, {2, 0}, {7, 6}}}}) {
    CAPTURE(name);
    story told(name);
    other_order order(told.choose, told.rules, 2);
    told.tell(order, a_run());
    CHECK(told.batches == batches);
    CHECK(order.left() == 2);  // the run drew more than it trained on
  }
}

TEST_CASE("an order that must wait takes its batch later, never one that had not arrived") {
  story told("strict");
  other_order order(told.choose, told.rules, 2);
  std::vector<journal_record> records;
  for (std::uint64_t id = 0; id < 4; ++id) records.push_back({0, prompt_drawn{id, 0, 0, 0}});
  for (const std::uint64_t id : {3, 2}) records.push_back(kept(id));
  records.push_back({0, batch_consumed{1, {3, 2}}});  // the run itself went by completion
  told.tell(order, records);
  CHECK(told.batches.empty());
  told.tell(order, {kept(1), kept(0)});
  CHECK(told.batches == std::vector<ids>{{0, 1}});
  told.tell(order, {{0, batch_consumed{2, {1, 0}}}});
  CHECK(told.batches == std::vector<ids>{{0, 1}, {2, 3}});
}

TEST_CASE("what was dropped before it arrived stays dropped, what was dropped as late may be taken") {
  for (const bool arrived : {false, true}) {
    CAPTURE(arrived);
    story told("completion");
    other_order order(told.choose, told.rules, 2);
    std::vector<journal_record> records;
    for (std::uint64_t id = 0; id < 4; ++id) records.push_back({0, prompt_drawn{id, 0, 0, 0}});
    if (arrived) records.push_back(kept(0));
    records.push_back({0, prompt_moved{0, rollout_state::dropped, "late"}});
    for (const std::uint64_t id : {1, 2}) records.push_back(kept(id));
    records.push_back({0, batch_consumed{1, {1, 2}}});
    told.tell(order, records);
    CHECK(told.batches == std::vector<ids>{arrived ? ids{0, 1} : ids{1, 2}});
  }
}

TEST_CASE("groups too old, and groups by versions still to be made, are counted") {
  story told("completion", 1);
  other_order order(told.choose, told.rules, 1);
  std::vector<journal_record> records;
  for (std::uint64_t id = 0; id < 4; ++id) records.push_back({0, prompt_drawn{id, 0, 0, 0}});
  for (std::uint64_t id = 0; id < 4; ++id) {
    records.push_back(kept(id, id == 1 ? 2 : 0));
    records.push_back({0, batch_consumed{static_cast<std::int64_t>(id) + 1, {id}}});
  }
  told.tell(order, records);
  CHECK(told.batches.size() == 4);
  CHECK(order.too_old() == 2);     // draws 2 and 3, at versions 2 and 3
  CHECK(order.from_later() == 1);  // draw 1 at version 1
}

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/tokenizers/columns.hpp"
#include "runtime/plumbing/compute_slots.hpp"
#include "runtime/plumbing/progress.hpp"
#include "runtime/plumbing/span_totals.hpp"
#include "runtime/plumbing/wait_table.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

TEST_CASE("slots never hand out more cores than there are, and everybody gets a turn") {
  constexpr std::int64_t cores = 3;
  compute_slots slots(cores);
  std::atomic<std::int64_t> used{0}, most{0}, turns{0};
  std::vector<std::thread> workers;
  for (std::int64_t want : {1, 1, 2, 3, 2})
    workers.emplace_back([&, want] {
      for (int i = 0; i < 200; ++i) {
        const slot_lease lease(slots, want);
        const auto now = used += want;
        auto seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        std::this_thread::yield();
        used -= want;
        ++turns;
      }
    });
  for (auto &worker : workers) worker.join();
  CHECK(most <= cores);
  CHECK(turns == 1000);
  CHECK(used == 0);
}

TEST_CASE("the wait table tells who waits for whom, oldest first") {
  wait_table waits;
  const auto first = waits.open({"learner", "buffer", "a batch", 1'000'000'000});
  waits.open({"ledger", "loader", "prompts", 13'000'000'000});
  CHECK(waits.describe(13'300'000'000) ==
        std::vector<std::string>{"learner waits 12.3 s for a batch from buffer",
                                 "ledger waits 0.3 s for prompts from loader"});
  waits.close(first);
  waits.close(first);
  CHECK(waits.describe(14'000'000'000) ==
        std::vector<std::string>{"ledger waits 1.0 s for prompts from loader"});
}

TEST_CASE("span totals are shares of the time between the first begin and the last end") {
  span_totals totals;
  CHECK(totals.seconds() == 0);
  CHECK(totals.tokens_per_second() == 0);
  totals.add("sampler", 2'000'000'000, 4'000'000'000, 100);
  totals.add("learner", 1'000'000'000, 2'000'000'000, 300);  // reported late: begins before the first
  totals.add("sampler", 4'000'000'000, 5'000'000'000, 50);
  CHECK(totals.seconds() == 4.0);
  CHECK(totals.tokens_per_second() == 75.0);  // of the busiest, not the sum
  CHECK(totals.summary() == nlohmann::json{{"seconds", 4.0},
                                           {"busy", {{"learner", 0.25}, {"sampler", 0.75}}},
                                           {"tokens", {{"learner", 300}, {"sampler", 150}}},
                                           {"tokens_per_second", 75.0}});
}

TEST_CASE("a trace event is one JSON object in microseconds") {
  const auto event = nlohmann::json::parse(trace_event("a \"b\"", "train", 1'500, 4'000, 7, 250));
  CHECK(event == nlohmann::json{{"ph", "X"},
                                {"pid", "slipstream"},
                                {"tid", "a \"b\""},
                                {"name", "train"},
                                {"ts", 1.5},
                                {"dur", 2.5},
                                {"args", {{"tokens", 7}, {"queued", 0.25}}}});
}

TEST_CASE("the progress line shows what was reported and nothing else") {
  const progress_options options{progress_style::none, "sort", 200};
  progress_state state;
  CHECK(progress_line(options, state, {}) == "sort 0/200 queues 0+0 0 tokens/s");
  state = {50, 100.0, 1234.4, 6, 2};
  const nlohmann::json metrics = {{"loss", 0.12345},        {"reward_mean", 1}, {"kl", 0.5},
                                  {"staleness_mean", 0.75}, {"ids", {1, 2}},    {"accuracy", nullptr}};
  CHECK(progress_line(options, state, metrics) ==
        "sort 50/200 loss 0.1235 reward 1.000 KL 0.500 staleness 0.75 queues 6+2 1234 tokens/s left 5m00s");
  state = {200, 10'000, 0, 0, 0};
  CHECK(progress_line(options, state, {}) == "sort 200/200 queues 0+0 0 tokens/s left 0s");
  state.update = 100;
  CHECK(progress_line(options, state, {}) == "sort 100/200 queues 0+0 0 tokens/s left 2h46m");
}

TEST_CASE("a line is cut to the columns of a terminal, wide and combining characters counted") {
  CHECK(fitted_to("sort 50/200", 20) == "sort 50/200");
  CHECK(fitted_to("sort 50/200", 6) == "sort 5");
  CHECK(fitted_to("\u4e2d\u6587 1/2", 3) == "\u4e2d");  // two columns each: the second has no room
  CHECK(fitted_to("\u4e2d\u6587 1/2", 5) == "\u4e2d\u6587 ");
  CHECK(fitted_to("e\u0301a", 1) == "e\u0301");  // an accent takes no column of its own
  CHECK(fitted_to("a\xff\nb", 4) == "a??b");
  CHECK(fitted_to("a", 0).empty());
}

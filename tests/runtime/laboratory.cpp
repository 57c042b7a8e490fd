#include <ATen/core/Tensor.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "runtime/laboratory/comparison.hpp"
#include "runtime/laboratory/grid.hpp"
#include "runtime/laboratory/page.hpp"
#include "runtime/laboratory/plot_file.hpp"
#include "runtime/laboratory/plots.hpp"
#include "runtime/laboratory/run_story.hpp"
#include "runtime/laboratory/run_trace.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

using texts = std::vector<std::string>;

std::string refusal(const std::string &vary) {
  try {
    parse_varied_key(vary);
  } catch (const input_error &refused) {
    return refused.what();
  }
  return "";
}

sample answer(std::int64_t length, double reward, std::vector<std::int64_t> versions) {
  sample entry;
  entry.prompt_length = 2;
  entry.tokens.assign(static_cast<std::size_t>(length + 2), 7);
  entry.score = reward;
  entry.versions = std::move(versions);
  return entry;
}

sample_group_ptr group_of(std::uint64_t id, std::vector<sample> samples) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = 2;
  group->samples = std::move(samples);
  return group;
}

std::string span_line(const char *actor, const char *what, double begin_s, double seconds, int tokens,
                      double queued_s = 0) {
  return nlohmann::json{{"ph", "X"},
                        {"tid", actor},
                        {"name", what},
                        {"ts", begin_s * 1e6},
                        {"dur", seconds * 1e6},
                        {"args", {{"tokens", tokens}, {"queued", queued_s * 1e6}}}}
             .dump() +
         ",\n";
}

/// A run of two updates in two sittings (100 s to 110 s, 500 s to 510 s), two answers a prompt. Draws 0 and 1
/// are trained on, 2 is dropped after scoring, 3 lies finished at the end; of draw 1 one answer is left out.
/// 40 tokens were decoded: 24 by those, 16 more were lost with the first sitting.
void write_run(const test::scratch &folder) {
  const auto s = [](double seconds) { return static_cast<std::int64_t>(seconds * 1e9); };
  using st = rollout_state;
  std::filesystem::create_directories(folder / "journal");
  journal_writer journal(folder / "journal");
  const auto note = [&](double time, journal_event event) { journal.append({s(time), std::move(event)}); };
  note(100, run_opened{"a", 7, 2});
  for (std::uint64_t id = 0; id < 4; ++id)
    note(100 + static_cast<double>(id), prompt_drawn{id, 0, static_cast<std::int64_t>(10 + id % 3), 0});
  note(104, group_kept{group_of(0, {answer(3, 1.0, {0, 0, 0}), answer(2, 0.0, {0, 0})})});
  note(105, batch_consumed{1, {0}});
  note(107, prompt_moved{0, st::trained, "made version 1"});
  note(110, prompt_moved{1, st::running, "a sampler took it"});
  note(500, run_resumed{{{"", 1}}});
  note(501, answers_left_out{1, {6}, {0.25}});
  note(501, group_kept{group_of(1, {answer(4, 0.5, {0, 0, 1, 1})})});
  note(502, answers_left_out{2, {1, 2}, {0.0, 0.0}});
  note(502, prompt_moved{2, st::dropped, "tie"});
  note(503, group_kept{group_of(3, {answer(3, 1.0, {1, 1, 1}), answer(3, 1.0, {1, 1, 1})})});
  note(504, batch_consumed{2, {1}});
  note(508, prompt_moved{1, st::trained, "made version 2"});
  note(510, run_closed{2, "finished"});
  journal.sync();
  folder.write("topology.toml",
               "[actors.sampler]\nkind = \"sampler\"\nreplicas = 2\nthreads = 1\n[actors.learner]\nkind = "
               "\"learner\"\nthreads = 2\n");
  folder.write("trace-1.json", "[\n" + span_line("sampler-1", "decode", 101, 2, 10) +
                                   span_line("sampler-2", "decode", 101, 1, 10, 0.5) +
                                   span_line("learner", "train", 105, 1, 99) + R"({"ph":"X","tid":"lear)");
  folder.write("trace.json", "[\n" + span_line("sampler-1", "decode", 501, 2, 20) +
                                 span_line("learner", "train", 504, 3, 99) +
                                 span_line("heldout", "evaluate", 508, 2, 0) + "{}]\n");
  folder.write("metrics.jsonl",
               "{\"version\":1,\"update\":1,\"reward_mean\":0.5,\"loss\":2.0}\n"
               "{\"version\":2,\"update\":2,\"reward_mean\":0.75,\"loss\":1.0}\n");
  folder.write("summary.json",
               R"({"status":"finished","staleness_bound":1,"eval":{"accuracy":0.5,"name":"x"}})");
}

compared_run made_up_run(std::uint64_t seed, double reward, std::int64_t second_row = 5) {
  compared_run run{seed, "run-" + std::to_string(seed), run_figures{}, ""};
  auto &figures = *run.figures;
  for (const double update : {1.0, 2.0}) {
    update_point point;
    point.update = update;
    point.wall_seconds = update * static_cast<double>(seed);
    point.metrics["reward_mean"] = reward;
    figures.updates.push_back(point);
  }
  figures.values["reward"] = reward;
  figures.draws = {{0, {0, 4}}, {1, {0, second_row}}};
  figures.answers = {{4, 3, reward, 1, true}, {5, 9, 0, NAN, false}};
  figures.token_ages = {{0, 3}, {2, 1}};
  figures.actors["learner"] = {0.5, 0.1, 0.4};
  figures.generated = 12;
  figures.wasted["not chosen"] = 9;
  return run;
}

compared_arm made_up_arm(const std::string &staleness, std::vector<compared_run> runs) {
  compared_arm arm;
  arm.arm = make_arms({{"schedule.max_staleness", {staleness}}}).front();
  arm.max_staleness = std::stoll(staleness);
  arm.runs = std::move(runs);
  return arm;
}

const figure_row &row_of(const comparison &compared, std::string_view key) {
  for (const auto &row : compared.rows)
    if (row.key == key) return row;
  throw std::runtime_error("no row " + std::string(key));
}

}  // namespace

TEST_CASE("varied keys: values part at commas that stand alone") {
  CHECK(parse_varied_key("schedule.max_staleness=0,1, 2").values == texts{"0", "1", "2"});
  CHECK(parse_varied_key(R"(a.b="x,y",'p,q',"\",",plain)").values ==
        texts{R"("x,y")", "'p,q'", R"("\",")", "plain"});
  CHECK(parse_varied_key("a.takes=[1,2],[3]").values == texts{"[1,2]", "[3]"});
  CHECK(parse_varied_key("a.weights={ x = 1, y = 2 },{}").values == texts{"{ x = 1, y = 2 }", "{}"});
  CHECK_THAT(refusal("schedule.max_staleness"), Contains("write --vary table.key=VALUE,VALUE"));
  CHECK_THAT(refusal("schedule.max_staleness="), Contains("error: no values; name at least one"));
  CHECK_THAT(refusal("max_staleness=1"), Contains("a key is written table.key"));
  CHECK_THAT(refusal("a.b=1,,2"), Contains("value 2 is empty"));
  CHECK_THAT(refusal("a.b=1,2,1"), Contains("1 is there twice"));
  CHECK_THAT(refusal("run.seed=1,2"), Contains("write --seeds N"));
  CHECK_THAT(refusal("run.folder=a"), Contains("the sweep sets run.folder"));
}

TEST_CASE("a grid is every combination, its runs go seed by seed, and names stay apart") {
  const auto arms =
      make_arms({{"schedule.max_staleness", {"0", "1"}}, {"actors.learner.loss", {"\"ppo\"", "\"gspo\""}}});
  REQUIRE(arms.size() == 4);
  CHECK(arms[1].overrides == texts{"schedule.max_staleness=0", "actors.learner.loss=\"gspo\""});
  CHECK(arms[1].label == "max_staleness=0, loss=\"gspo\"");
  CHECK(arms[1].name == "max_staleness-0.loss-gspo");
  const auto runs = make_runs(arms, 3, 2);
  REQUIRE(runs.size() == 8);
  CHECK((runs[1].arm == 1 && runs[1].seed == 3 && runs[4].arm == 0 && runs[4].seed == 4));
  CHECK(runs[1].name == "max_staleness-0.loss-gspo.seed-3");
  const auto alike = make_arms({{"actors.a.threads", {"1"}}, {"actors.b.threads", {"1"}}});
  CHECK(alike.front().label == "a.threads=1, b.threads=1");
  const auto lists = make_arms({{"a.b", {"[1, 2]", "[12]", "'12'"}}});
  CHECK(lists[0].name != lists[1].name);
  CHECK(lists[1].name != lists[2].name);
  for (const auto &arm : lists) CHECK(arm.name.find_first_of("[] ,'") == std::string::npos);
  CHECK_THROWS_AS(make_arms({{"a.b", {"1"}}, {"a.b", {"2"}}}), input_error);
  CHECK(make_runs(make_arms({}), 1, 1).front().name == "seed-1");
}

TEST_CASE("Student's t as the tables have it") {
  for (const auto &[freedom, t] : std::map<std::int64_t, double>{
           {1, 12.70620}, {2, 4.30265}, {3, 3.18245}, {4, 2.77645}, {9, 2.26216}, {30, 2.04227}})
    CHECK(student_quantile(0.95, freedom) == Approx(t).epsilon(1e-5));
  CHECK(student_quantile(0.99, 5) == Approx(4.03214).epsilon(1e-5));
  CHECK_FALSE(estimate_mean({}));
  const auto one = *estimate_mean({4.0});
  CHECK((one.mean == 4 && one.low == 4 && one.high == 4));
  const auto three = *estimate_mean({1.0, 2.0, 6.0});
  CHECK(three.mean == 3);
  CHECK(three.half_width() == Approx(4.30265 * std::sqrt(7.0 / 3)).epsilon(1e-5));
  const auto paired = *paired_difference({{1, 5.0}, {2, 7.0}, {9, 1.0}}, {{1, 4.0}, {2, 5.0}, {3, 0.0}});
  CHECK(paired.count == 2);
  CHECK(paired.mean == 1.5);
}

TEST_CASE("curves of several seeds meet where all of them have points") {
  const curve line{{0, 1, 3}, {0, 2, 4}};
  CHECK(interpolate(line, 0.5) == 1);
  CHECK(interpolate(line, 2) == 3);
  CHECK(trailing_mean(line, 2).y == std::vector<double>{0, 1, 3});
  const auto same = mean_curve({{{1, 2}, {0, 4}}, {{1, 2}, {2, 8}}});
  REQUIRE(same.size() == 2);
  CHECK((same[1].x == 2 && same[1].y.mean == 6));
  const auto apart = mean_curve({{{0, 4}, {0, 4}}, {{1, 5}, {1, 5}}}, 4);
  REQUIRE(apart.size() == 4);
  CHECK((apart.front().x == 1 && apart.back().x == 4));
  CHECK(apart[1].y.mean == Approx(2));
  CHECK(mean_curve({{{0, 1}, {0, 1}}, {{2, 3}, {0, 1}}}).empty());
}

TEST_CASE("a run's clock leaves interruptions out, also where the machine's began anew") {
  run_clock clock;
  clock.begin_part(100);
  clock.see(110);
  clock.begin_part(20);
  clock.see(50);
  CHECK(clock.at(100) == 0);
  CHECK(clock.at(104) == 4);
  CHECK(clock.at(20) == 10);
  CHECK(clock.at(45) == 35);
  CHECK(clock.at(60) == 40);  // told after the last record
}

TEST_CASE("a run's figures add up from its folder") {
  const test::scratch folder;
  write_run(folder);
  const auto run = read_run_figures(folder.path());
  REQUIRE(run.updates.size() == 2);
  CHECK(run.updates[0].wall_seconds == 7);
  CHECK(run.updates[1].wall_seconds == 18);  // 10 in the first sitting
  CHECK(run.updates[1].samples == 4);
  CHECK(run.updates[0].generated_tokens == 20);
  CHECK(run.updates[1].generated_tokens == 40);
  CHECK(run.updates[1].device_seconds == 5 + 2 * 4);
  CHECK(run.updates[0].wait_seconds == 1);
  CHECK(run.updates[1].wait_seconds == 3);
  CHECK(run.updates[1].wait_versions == 0);
  CHECK(run.updates[0].open_seconds == 4);   // draw 1, of second 101
  CHECK(run.updates[1].open_seconds == 11);  // draw 3
  CHECK(run.token_ages == std::map<std::int64_t, std::int64_t>{{0, 7}, {1, 2}});
  CHECK(run.actors.at("sampler").busy == Approx(5.0 / 36));
  CHECK(run.actors.at("sampler").queued == Approx(0.5 / 36));
  CHECK(run.actors.at("learner").waiting == Approx(14.0 / 18));
  CHECK_FALSE(run.actors.contains("heldout"));
  CHECK(run.generated == 40);
  CHECK(run.trained == 9);
  CHECK(run.wasted == std::map<std::string, std::int64_t>{{"dropped: tie", 3},
                                                          {"finished, not consumed", 6},
                                                          {"not chosen", 6},
                                                          {"unfinished, or sampled again", 16}});
  CHECK(run.values.at("waste") == Approx(31.0 / 40));
  CHECK(run.values.at("eval.accuracy") == 0.5);
  CHECK(run.values.at("reward") == 0.75);
  CHECK(run.values.at("staleness_mean") == Approx(2.0 / 9));
  CHECK(run.draws.at(2) == std::pair<std::int64_t, std::int64_t>{0, 12});
}

TEST_CASE("bias is what was trained on against what was generated") {
  const test::scratch folder;
  write_run(folder);
  auto run = read_run_figures(folder.path());
  REQUIRE(run.answers.size() == 8);
  const auto rows = row_rewards(run);  // draws 0 and 3 are of row 10
  CHECK(rows.at(10) == Approx(0.75));
  CHECK(rows.at(11) == Approx(0.375));
  add_bias(run, rows);
  CHECK(run.values.at("length_trained") == Approx(3));
  CHECK(run.values.at("length_bias") == Approx(3 - 24.0 / 8));
  CHECK(run.values.at("reward_bias") == Approx(0.5 - 3.75 / 8));
  CHECK(run.values.at("difficulty_bias") == Approx(1.875 / 3 - (4 * 0.75 + 2 * 0.375) / 8));
}

TEST_CASE("arms are compared by seed, and only where their streams are the same") {
  std::vector<compared_arm> arms{made_up_arm("0", {made_up_run(1, 0.5), made_up_run(2, 0.7)}),
                                 made_up_arm("4", {made_up_run(1, 0.6), made_up_run(2, 0.9)})};
  const auto compared = compare_arms(arms);
  CHECK(compared.unpaired.empty());
  CHECK(*compared.arms[1].synchronous == 0);
  const auto &reward = row_of(compared, "reward");
  CHECK(reward.cells[0].value->mean == Approx(0.6));
  CHECK_FALSE(reward.cells[0].difference);
  CHECK(reward.cells[1].difference->mean == Approx(0.15));
  CHECK(reward.cells[1].difference->half_width() == Approx(12.70620 * 0.05).epsilon(1e-4));
  CHECK(row_of(compared, "length_shift").cells[1].value->mean == Approx(3 - 6));
  CHECK_THAT(table_text(compared),
             Contains("| reward, last tenth | 0.600 ± 1.271 | 0.750 ± 1.906 (+0.150 ± 0.635) |"));
  const auto told = comparison_json(compared);
  CHECK(told["arms"][1]["figures"]["reward"]["difference"]["seeds"] == 2);
  CHECK(told["arms"][1]["synchronous"] == "max_staleness=0");

  arms[1].runs[1] = made_up_run(2, 0.9, 6);
  const auto unpaired = compare_arms(arms);
  CHECK(unpaired.unpaired == "draw 1 is row 5 of epoch 0 in run-2 and row 6 of epoch 0 in run-2");
  CHECK_FALSE(row_of(unpaired, "reward").cells[1].difference);

  arms[1].runs[1] = {2, "run-2", {}, "it died"};
  const auto missing = compare_arms(arms);
  CHECK(row_of(missing, "reward").cells[1].difference->count == 1);
  CHECK_THAT(table_text(missing), Contains("| seeds finished | 2 of 2 | 1 of 2 |"));
}

TEST_CASE("a skipped batch trained nobody, unless a resume trains it after all") {
  using st = rollout_state;
  const auto told = [](std::vector<journal_event> events) {
    const test::scratch folder;
    journal_writer journal(folder.path());
    std::int64_t time = 0;
    for (auto &event : events) journal.append({++time, std::move(event)});
    return read_run_story(folder.path());
  };
  std::vector<journal_event> events{run_opened{"a", 7, 2}, prompt_drawn{0, 0, 3, 1},
                                    group_kept{group_of(0, {answer(3, 1.0, {0, 0, 0})})},
                                    batch_consumed{1, {0}}, batch_skipped{1, "ess 0.1 below 0.5"}};
  const auto tripped = told(events);
  CHECK_FALSE(tripped.groups.at(0).trained());
  CHECK(tripped.groups.at(0).dropped == "guard: ess 0.1 below 0.5");
  CHECK(tripped.versions.at(1).trained_ns == 5);
  events.emplace_back(run_resumed{{{"", 0}}});
  events.emplace_back(prompt_moved{0, st::trained, "made version 1"});
  CHECK(told(events).groups.at(0).trained());
}

TEST_CASE("every plot has its figures and its script, and the page holds the pictures that there are") {
  const test::scratch folder;
  const auto compared = compare_arms({made_up_arm("0", {made_up_run(1, 0.5), made_up_run(2, 0.7)}),
                                      made_up_arm("4", {made_up_run(1, 0.6), made_up_run(2, 0.9)})});
  const auto plots = write_plots(folder.path(), compared);
  CHECK(plots.size() == 11);
  for (const auto &each : plots) {
    CAPTURE(each.name);
    CHECK_THAT(test::read_text(folder / (each.name + ".gp")), Contains("set output '" + each.name + ".svg'"));
    CHECK(std::filesystem::file_size(folder / (each.name + ".tsv")) > 0);
  }
  CHECK_THAT(test::read_text(folder / "staleness.tsv"),
             Contains("# age\tmax_staleness=0\tmax_staleness=4\n0\t75\t75\n1\t0\t0\n2\t25\t25\n"));
  CHECK_THAT(test::read_text(folder / "waste.tsv"), Contains("max_staleness=4\t75\t75\n"));
  CHECK_THAT(test::read_text(folder / "curve-updates.tsv"), Contains("\n1\t0.6\t"));
  folder.write("staleness.svg", "<?xml version=\"1.0\"?>\n<svg id=\"ages\"></svg>");
  const auto page =
      page_html({"A & B", "slipstream sweep <x>", {"one is left out"}}, compared, plots, folder.path());
  CHECK_THAT(page,
             Contains("<h1>A &amp; B</h1>") && Contains("sweep &lt;x&gt;") && Contains("one is left out"));
  CHECK_THAT(page, Contains("<svg id=\"ages\"></svg>") && !Contains("<?xml") && !Contains("<h2>Waste</h2>"));
  CHECK_THAT(page, Contains("<td>0.750 ± 1.906<small> (+0.150 ± 0.635)</small></td>"));
  CHECK(plot_file::quoted("it's") == "'it''s'");
}

#include <ATen/core/Tensor.h>

#include <cmath>
#include <limits>

#include "models/error.hpp"
#include "runtime/journal/progress_notes.hpp"
#include "runtime/journal/resume.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using s = rollout_state;
constexpr std::int64_t second = 1'000'000'000;

partial_generation part(std::vector<std::int64_t> tokens, std::int64_t version, bool ended = false) {
  partial_generation result;
  result.answer.logprobs.assign(tokens.size(), -0.5F - static_cast<float>(version));
  result.answer.versions.assign(tokens.size(), version);
  result.answer.cache_versions.assign(tokens.size(), version - 1);
  result.answer.tokens = std::move(tokens);
  result.answer.reason = finish_reason::stop;
  result.ended = ended;
  return result;
}

bool same(const partial_generation &a, const partial_generation &b) {
  return a.answer.tokens == b.answer.tokens && a.answer.logprobs == b.answer.logprobs &&
         a.answer.versions == b.answer.versions && a.answer.cache_versions == b.answer.cache_versions &&
         a.ended == b.ended && (!a.ended || a.answer.reason == b.answer.reason);
}

bool same(const std::vector<partial_generation> &a, const std::vector<partial_generation> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto &x, const auto &y) { return same(x, y); });
}

sample_group_ptr group_of(std::uint64_t id) {
  auto made = std::make_shared<sample_group>();
  made->id = id;
  made->rollouts = 2;
  made->samples.resize(2);
  for (std::size_t i = 0; i < 2; ++i) {
    auto &each = made->samples[i];
    each.prompt_length = 1;
    each.tokens = i == 0 ? std::vector<std::int64_t>{4, 5, 6, 2} : std::vector<std::int64_t>{4, 7, 9, 2};
    each.behaviour = {-1.5F, i == 0 ? -1.5F : -2.5F, -2.5F};
  }
  return made;
}

// Prompt 0 is whole but not scored, 1 has tokens, 2 has none, 3 is in the buffer, 4 was dropped half-way.
std::vector<journal_event> a_run(bool keeps_partial) {
  std::vector<journal_event> events{run_opened{"a", 7, 2, keeps_partial}};
  for (std::uint64_t id = 0; id < 5; ++id) {
    events.emplace_back(prompt_drawn{id, 0, 3, 1});
    events.emplace_back(prompt_moved{id, s::running, "a sampler took it"});
  }
  for (const std::uint64_t id : {0, 1, 3, 4})
    events.emplace_back(group_progress{id, {part({5, 6}, 1), part({7}, 1)}});
  events.emplace_back(group_progress{1, {part({8}, 2), part({}, 1)}});
  for (const std::uint64_t id : {0, 3}) {
    events.emplace_back(group_progress{id, {part({2}, 2, true), part({9, 2}, 2, true)}});
    events.emplace_back(prompt_moved{id, s::finished, "sampled whole"});
  }
  events.emplace_back(group_kept{group_of(3)});
  events.emplace_back(prompt_moved{3, s::buffered, "scored"});
  events.emplace_back(prompt_moved{4, s::dropped, "late"});
  return events;
}

run_history after(const std::vector<journal_event> &events, std::int64_t version = 0) {
  const test::scratch folder;
  journal_writer writer(folder.path());
  for (const auto &event : events) writer.append({12, event});
  return read_history(folder.path(), {{"", version}});
}

std::vector<partial_generation> whole_answers() {
  auto a = part({5, 6, 2}, 1, true), b = part({7, 9, 2}, 1, true);
  for (auto *each : {&a, &b})
    for (std::size_t t = each == &a ? 2 : 1; t < 3; ++t) {
      each->answer.versions[t] = 2;
      each->answer.cache_versions[t] = 1;
      each->answer.logprobs[t] = -2.5F;
    }
  return {a, b};
}

}  // namespace

TEST_CASE("every field of a prompt's progress is in the journal, floats to the bit") {
  group_progress written{70'000, {part({5, 90'000, 2}, 3, true), part({}, 1), part({1}, 9)}};
  written.samples[0].answer.versions = {3, 3, -1};
  written.samples[0].answer.logprobs[1] = -std::numeric_limits<float>::infinity();
  for (const auto reason : {finish_reason::stop, finish_reason::length, finish_reason::aborted}) {
    written.samples[0].answer.reason = reason;
    const auto back = std::get<group_progress>(decode(encode({5, written})).event);
    CHECK(back.id == written.id);
    CHECK(same(back.samples, written.samples));
  }
  auto bytes = encode({5, written});
  for (std::size_t left = 1; left < bytes.size(); ++left)
    CHECK_THROWS_AS(decode(bytes.substr(0, left)), run_error);
}

TEST_CASE("after a kill, answers under way are partial and go on; whole ones are there again") {
  const auto history = after(a_run(true));
  const auto totals = history.totals();
  CHECK(totals.partial == 4);
  CHECK(totals.waiting == 2);
  CHECK(totals.buffered == 2);
  CHECK(totals.reissued == 2);  // the prompt without a token
  CHECK(history.continued == 2);
  CHECK(history.fault.empty());
  const auto begun = begun_again(history);
  REQUIRE(begun.size() == 2);
  CHECK(same(*begun.at(0), whole_answers()));
  CHECK(begun.at(1)->at(0).answer.tokens == std::vector<std::int64_t>{5, 6, 8});
  CHECK(begun.at(1)->at(0).answer.versions == std::vector<std::int64_t>{1, 1, 2});
  CHECK(begun.at(1)->at(1).answer.tokens == std::vector<std::int64_t>{7});
  CHECK(waiting_again(history) == std::map<std::uint64_t, std::int64_t>{{0, 0}, {1, 0}, {2, 0}});
  const auto books = restored_books(ledger(admission(4, 1), 2, 100), 4, history);
  CHECK(books.totals().partial == 4);
}

TEST_CASE("where answers under way do not count they are sampled anew, and whole ones are not") {
  const auto history = after(a_run(false));
  CHECK(history.totals().partial == 2);
  CHECK(history.totals().waiting == 4);
  CHECK(history.totals().reissued == 4);
  const auto begun = begun_again(history);
  REQUIRE(begun.size() == 1);
  CHECK(same(*begun.at(0), whole_answers()));
}

TEST_CASE("a prompt goes on over several kills, and what was given up is forgotten") {
  auto events = a_run(true);
  events.emplace_back(run_resumed{{{"", 0}}});
  events.emplace_back(prompt_moved{1, s::partial, "goes on"});
  events.emplace_back(prompt_moved{1, s::running, "a sampler took it"});
  events.emplace_back(group_progress{1, {part({4}, 1), part({4}, 1)}});
  auto history = after(events);
  CHECK(history.begun.at(1).at(0).answer.tokens == std::vector<std::int64_t>{5, 6, 8, 4});
  CHECK(history.totals().partial == 4);

  events.emplace_back(prompt_moved{1, s::waiting, "its sampler died"});
  CHECK(after(events).begun.count(1) == 0);
  events.emplace_back(prompt_moved{1, s::running, "a sampler took it"});
  events.emplace_back(group_progress{1, {part({6}, 1), part({6}, 1)}});
  CHECK(after(events).begun.at(1).at(0).answer.tokens == std::vector<std::int64_t>{6});

  auto anew = a_run(false);
  anew.emplace_back(run_resumed{{{"", 0}}});
  anew.emplace_back(prompt_moved{1, s::running, "a sampler took it"});
  anew.emplace_back(group_progress{1, {part({4}, 1, true), part({4}, 1, true)}});
  CHECK(after(anew).begun.at(1).at(0).answer.tokens == std::vector<std::int64_t>{4});
}

TEST_CASE("a kept answer that is not the journalled one is a fault: something was generated again") {
  const auto kept = [](const std::vector<group_progress> &more) {
    auto events = a_run(true);
    for (const auto &each : more) events.emplace_back(each);
    events.emplace_back(group_kept{group_of(1)});
    return after(events).fault;
  };
  const std::string told = "prompt 1 was kept with an answer that is not the one the journal has of it";
  auto good = part({2}, 2, true);
  // 5 6 | 8 and 7 so far, where the group has 5 6 2 and 7 9 2
  CHECK(kept({}) == told);
  CHECK(kept({{1, {part({}, 2, true), part({9, 2}, 2, true)}}}) == told);
  auto events = a_run(true);
  std::erase_if(events, [](const auto &event) {
    const auto *progress = std::get_if<group_progress>(&event);
    return progress && progress->id == 1 && token_count(progress->samples) == 1;
  });
  const auto whole = [&](const partial_generation &first, const group_kept &group) {
    auto all = events;
    all.emplace_back(group_progress{1, {first, part({9, 2}, 2, true)}});
    all.emplace_back(group);
    return after(all).fault;
  };
  CHECK(whole(good, {group_of(1)}).empty());
  auto other = std::make_shared<sample_group>(*group_of(1));
  other->samples[0].behaviour[2] = std::nextafter(-2.5F, 0.0F);
  CHECK(whole(good, {other}) == told);
  good.ended = false;
  CHECK(whole(good, {group_of(1)}) == told);
}

TEST_CASE("a run that was killed before its journal's first record never began") {
  const test::scratch folder;
  const run_paths paths(folder.path());
  CHECK_FALSE(find_resume_point(paths, {{"", ""}}));
  std::filesystem::create_directory(paths.journal);
  {
    journal_writer writer(paths.journal);
    CHECK_FALSE(find_resume_point(paths, {{"", ""}}));
  }
  journal_writer writer(paths.journal);
  writer.append({12, run_opened{"a", 7, 2, true}});
  REQUIRE(find_resume_point(paths, {{"", ""}}));
  CHECK(find_resume_point(paths, {{"", ""}})->history.opened.group == 2);
}

TEST_CASE("with an exact lag a run goes on from where the weights that are still needed can be made again") {
  const test::scratch folder;
  const run_paths paths(folder.path());
  const auto checkpoint = [&](std::int64_t version) {
    const auto name = "checkpoints/step-00000" + std::to_string(version);
    folder.write(name + "/slipstream.json", R"({"format":1,"version":)" + std::to_string(version) + "}");
    return folder / name;
  };
  for (const std::int64_t version : {2, 4, 6}) checkpoint(version);
  std::filesystem::create_directory(paths.journal);
  std::filesystem::create_directory_symlink("step-000006", paths.checkpoints / "last");
  journal_writer writer(paths.journal);
  std::vector<journal_event> events{run_opened{"a", 7, 2, true}};
  for (std::uint64_t id = 0; id < 9; ++id)
    events.emplace_back(prompt_drawn{id, static_cast<std::int64_t>(id) - 1, 3, 1});
  for (std::uint64_t id = 0; id < 6; ++id) {
    events.emplace_back(group_kept{group_of(id)});
    events.emplace_back(batch_consumed{static_cast<std::int64_t>(id) + 1, {id}});
  }
  for (const auto &event : events) writer.append({12, event});
  writer.sync();
  CHECK(find_resume_point(paths, {{"", ""}})->history.version() ==
        6);  // prompts 6, 7, 8 wait, for versions from 5 on
  const auto exact = find_resume_point(paths, {{"", ""}}, true);
  CHECK(exact->history.version() == 4);
  CHECK(exact->checkpoints.at("").filename() == "step-000004");
  CHECK(exact->history.paths.at("").batches.size() == 2);
  checkpoint(5);
  CHECK(find_resume_point(paths, {{"", ""}}, true)->history.version() == 5);
  for (const char *gone : {"step-000002", "step-000004", "step-000005"})
    std::filesystem::remove_all(paths.checkpoints / gone);
  CHECK(find_resume_point(paths, {{"", ""}}, true)->history.version() == 0);
  CHECK(find_resume_point(paths, {{"", ""}}, true)->checkpoints.empty());
}

TEST_CASE("progress of other samples than before is damage") {
  auto events = a_run(true);
  events.emplace_back(group_progress{1, {part({4}, 1)}});
  CHECK_THROWS_AS(after(events), run_error);
}

TEST_CASE("a prompt's records come every so many tokens or once a second, and add up to its answers") {
  model_spec spec;
  spec.vocab_size = 13;
  spec.hidden_size = 12;
  spec.intermediate_size = 16;
  spec.layers = 1;
  spec.heads = spec.kv_heads = 2;
  spec.head_dim = 6;
  spec.max_positions = 200;
  spec.tied_embeddings = true;
  spec.eos_tokens = {3};
  engine from(engine_options{.slots = 4});
  from.set_weights(std::make_shared<transformer>(spec, initial_parameters(spec, 2), numerics::exact), 1);
  generation_request request;
  request.prompt = {1, 2};
  request.samples = 4;
  request.max_new_tokens = request.min_new_tokens = 90;
  progress_notes notes;
  std::vector<partial_generation> sum(4);
  const auto add = [&](const group_progress &record) {
    for (std::size_t i = 0; i < 4; ++i) {
      auto &to = sum[i].answer.tokens;
      const auto &more = record.samples[i].answer.tokens;
      to.insert(to.end(), more.begin(), more.end());
      sum[i].ended = record.samples[i].ended;
    }
    return token_count(record.samples);
  };
  for (const std::uint64_t id : {5, 6}) {
    request.id = id;
    notes.begin(id, nullptr, 4, 0);
    from.submit(request);
  }
  for (int i = 0; i < 15; ++i) {
    from.step();
    CHECK(notes.due(from, 0).empty());
  }
  from.step();  // 64 tokens of the first prompt; the second has no slot yet
  auto records = notes.due(from, 0);
  REQUIRE(records.size() == 1);
  CHECK(records.front().id == 5);
  CHECK(add(records.front()) == 64);
  CHECK(notes.due(from, 9 * second).empty());  // nothing new
  from.step();
  CHECK(notes.due(from, second - 1).empty());
  records = notes.due(from, second);
  REQUIRE(records.size() == 1);
  CHECK(add(records.front()) == 4);
  from.step();
  CHECK(notes.due(from, second + 1).empty());
  const auto rest = notes.rest(from, 5, second);
  REQUIRE(rest);
  CHECK(add(*rest) == 4);
  CHECK_FALSE(notes.rest(from, 5, second));
  CHECK_FALSE(notes.rest(from, 6, second));
  std::vector<finished_request> finished;
  while (finished.empty()) finished = from.step();
  add(notes.last(finished.front()));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(sum[i].answer.tokens == finished.front().samples[i].tokens);
    CHECK(sum[i].ended);
  }

  progress_notes later;  // what the journal has already is not told again
  std::vector<partial_generation> begun(4);
  for (std::size_t i = 0; i < 4; ++i) {
    begun[i].answer = finished.front().samples[i];
    begun[i].ended = true;
  }
  later.begin(5, std::make_shared<const std::vector<partial_generation>>(begun), 4, 0);
  CHECK(token_count(later.last(finished.front()).samples) == 0);
}

#include <ATen/core/Tensor.h>
#include <zlib.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <random>

#include "models/error.hpp"
#include "runtime/journal/bytes.hpp"
#include "runtime/journal/history.hpp"
#include "runtime/journal/resume.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
namespace fs = std::filesystem;

namespace {

sample_group_ptr group_of(std::uint64_t id, std::size_t samples = 2) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = static_cast<std::int64_t>(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    sample each;
    each.tokens = {5, 70'000, static_cast<std::int64_t>(i)};
    each.prompt_length = 1;
    each.behaviour = {-0.25F, -std::numeric_limits<float>::infinity()};
    each.reference = {-0.5F, -0.125F};
    each.advantages = {1.5F, 1.5F};
    each.versions = {3, 4};
    each.trained = {1, 0};
    each.values = {0.5F, std::numeric_limits<float>::quiet_NaN()};
    each.returns = {1.0F, -0.0F};
    each.cache_versions = {2, 3};
    each.truncated = i == 1;
    each.score = i == 0 ? 0.75 : std::numeric_limits<double>::quiet_NaN();
    group->samples.push_back(each);
  }
  group->scores = {{"correct", {1.0, 0.0}}, {"short", {-0.5}}};
  group->model_versions = {{"critic", 4}};
  return group;
}

// Two batches of two groups; group 4 was dropped, 5 runs, 6 waits.
std::vector<journal_event> a_run() {
  std::vector<journal_event> events{run_opened{"a", 7, 2}};
  for (std::uint64_t id = 0; id < 7; ++id)
    events.emplace_back(prompt_drawn{id, static_cast<std::int64_t>(id) / 2, 3, 1});
  using s = rollout_state;
  for (std::uint64_t id = 0; id < 6; ++id)
    events.emplace_back(prompt_moved{id, s::running, "a sampler took it"});
  for (std::uint64_t id = 0; id < 4; ++id) {
    events.emplace_back(prompt_moved{id, s::finished, "sampled whole"});
    events.emplace_back(group_kept{group_of(id)});
    events.emplace_back(prompt_moved{id, s::buffered, "scored"});
  }
  events.emplace_back(answers_left_out{4, {3, 2}, {0.5, 0.5}});
  events.emplace_back(prompt_moved{4, s::dropped, "tie"});
  for (const std::int64_t version : {1, 2}) {
    const auto first = static_cast<std::uint64_t>(2 * version - 2);
    events.emplace_back(batch_consumed{version, {first, first + 1}});
    events.emplace_back(version_made{"learner", version, {0xffffffffU, 7}});
    for (const auto id : {first, first + 1})
      events.emplace_back(prompt_moved{id, s::trained, "made a version"});
  }
  return events;
}

void write(const fs::path &folder, const std::vector<journal_event> &events,
           std::uint64_t rotate = 64'000'000) {
  journal_writer writer(folder, rotate);
  for (const auto &event : events) writer.append({12, event});
  writer.sync();
}

std::int64_t records(const fs::path &folder) {
  std::int64_t count = 0;
  read_journal(folder, [&](const journal_record &) { ++count; });
  return count;
}

}  // namespace

TEST_CASE("a journal's records come back as they were, floats to the bit, over several files and sittings") {
  const test::scratch folder;
  const auto rotate = GENERATE(std::uint64_t{200}, std::uint64_t{64'000'000});
  const auto events = a_run();
  write(folder.path(), {events.begin(), events.begin() + 9}, rotate);
  write(folder.path(), {events.begin() + 9, events.end()}, rotate);
  std::vector<std::string> back, expected;
  CHECK_FALSE(
      read_journal(folder.path(), [&](const journal_record &record) { back.push_back(encode(record)); }));
  for (const auto &event : events) expected.push_back(encode({12, event}));
  CHECK(back == expected);
  CHECK(fs::exists(folder.path() / "000002.journal") == (rotate == 200));
}

TEST_CASE("every field of a sample is in the journal") {
  const auto whole = group_of(3);
  const auto back = std::get<group_kept>(decode(encode({5, group_kept{whole}})).event).group;
  CHECK(back->id == whole->id);
  CHECK(back->rollouts == whole->rollouts);
  CHECK((back->scores == whole->scores && back->model_versions == whole->model_versions));
  const auto bits = [](const std::vector<float> &values) {
    return std::string(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
  };
  for (std::size_t i = 0; i < whole->samples.size(); ++i) {
    const sample &a = whole->samples[i], &b = back->samples.at(i);
    CHECK((a.tokens == b.tokens && a.prompt_length == b.prompt_length && a.versions == b.versions));
    CHECK((a.behaviour == b.behaviour && a.reference == b.reference && a.advantages == b.advantages));
    CHECK((a.trained == b.trained && a.cache_versions == b.cache_versions && a.truncated == b.truncated));
    CHECK((bits(a.values) == bits(b.values) && bits(a.returns) == bits(b.returns)));
    CHECK((a.score == b.score || (std::isnan(a.score) && std::isnan(b.score))));
  }
}

TEST_CASE("a journal's sums close, and what came after the checkpoint is put back") {
  const test::scratch folder;
  write(folder.path(), a_run());
  const auto as_it_stands = read_history(folder.path()).totals();
  CHECK(as_it_stands.trained == 8);
  CHECK(as_it_stands.running == 2);
  CHECK(as_it_stands.dropped.at("tie") == 2);
  CHECK(as_it_stands.drawn == as_it_stands.trained + 2 + as_it_stands.in_flight());

  const auto history = read_history(folder.path(), {{"", 1}});
  const auto totals = history.totals();
  CHECK(totals.trained == 4);
  CHECK(totals.buffered == 4);
  CHECK(totals.waiting == 4);
  CHECK(totals.reissued == 2);
  using batches = std::map<std::int64_t, std::vector<std::uint64_t>>;
  CHECK(history.paths.at("").batches == batches{{2, {2, 3}}});
  CHECK(waiting_again(history) == std::map<std::uint64_t, std::int64_t>{{5, 2}, {6, 3}});
  CHECK(history.fault.empty());
  restored_books(ledger(admission(4, 1), 2, 100), 4, history);  // throws unless the sums close
  auto buffer = restored_buffer(order_buffer(order_rows()[0], {}, 2), history);
  const auto batch = buffer.take("", 1);
  REQUIRE(batch);
  CHECK(batch->again);
  CHECK(batch->groups->front()->id == 2);
  CHECK(buffer.compose().empty());
  CHECK_FALSE(buffer.take("", 2));
}

TEST_CASE(
    "after a resume, what a guard gave up still counts among those that overtook, and its places as taken") {
  const test::scratch folder;
  using s = rollout_state;
  std::vector<journal_event> events{run_opened{"a", 7, 2}};
  for (std::uint64_t id = 0; id < 4; ++id) events.emplace_back(prompt_drawn{id, 0, 3, 1});
  for (const std::uint64_t id : {1, 2}) {
    events.emplace_back(prompt_moved{id, s::running, "a sampler took it"});
    events.emplace_back(group_kept{group_of(id)});
  }
  events.emplace_back(batch_consumed{1, {1}});  // a short one, which overtook 0
  events.emplace_back(batch_skipped{1, "ess 0.1 below 0.3"});
  write(folder.path(), events);
  const auto history = read_history(folder.path(), {{"", 1}});
  CHECK(history.prompts.at(1).state == s::dropped);
  CHECK(history.prompts.at(1).reason == "guard: ess 0.1 below 0.3");
  const auto books = restored_books(ledger(admission(4, 1), 2, 100), 4, history);
  CHECK(books.forfeited() == 4);  // a whole batch of rollouts
  order_row windowed = order_rows()[1];
  order_state state;
  state.window = state.window_most = 2;
  const auto batches = restored_buffer(order_buffer(windowed, state, 2), history);
  const auto &buffer = batches.groups();
  CHECK(buffer.pool().overtaken_by(0) == 1);
  CHECK(buffer.pool().position(2) == 2);  // too far behind 0 for a window of 2
  state.window = 3;
  CHECK(windowed.choose(buffer.pool(), state).take == std::vector<std::uint64_t>{2});
}

TEST_CASE("after a kill behind any record the run can be gone on with, and every prompt is trained once") {
  using s = rollout_state;
  const auto events = a_run();
  for (std::size_t left = 8; left <= events.size(); ++left) {
    std::int64_t newest = 0;  // a checkpoint may hold a version whose groups the ledger has not yet told of
    for (std::size_t i = 0; i < left; ++i)
      if (const auto *batch = std::get_if<batch_consumed>(&events[i])) newest = batch->version;
    for (std::int64_t version = 0; version <= newest; ++version) {
      const test::scratch folder;
      write(folder.path(), {events.begin(), events.begin() + static_cast<std::ptrdiff_t>(left)});
      const auto history = read_history(folder.path(), {{"", version}});
      std::vector<journal_event> rest{run_resumed{{{"", version}}}};
      for (const auto &[id, prompt] : history.prompts) {
        if (prompt.state == s::waiting) {
          rest.emplace_back(prompt_moved{id, s::running, "a sampler took it"});
          rest.emplace_back(prompt_moved{id, s::finished, "sampled whole"});
          rest.emplace_back(group_kept{group_of(id)});
          rest.emplace_back(prompt_moved{id, s::buffered, "scored"});
        } else if (prompt.state == s::buffered) {
          CHECK(history.paths.at("").groups.contains(id));
        }
        if (prompt.state != s::trained && prompt.state != s::dropped)
          rest.emplace_back(prompt_moved{id, s::trained, "made a version"});
      }
      CHECK_NOTHROW(restored_buffer(order_buffer(order_rows()[0], {}, 2), history));
      write(folder.path(), rest);
      const auto whole = read_history(folder.path());
      CHECK(whole.fault.empty());
      const auto totals = whole.totals();
      CHECK(totals.in_flight() == 0);
      CHECK(totals.trained + totals.dropped_total() == totals.drawn);
    }
  }
}

TEST_CASE("a run that was killed before the journal's first record was whole never began") {
  const test::scratch folder;
  const run_paths paths(folder.path());
  fs::create_directories(paths.journal);
  write(paths.journal, {});
  CHECK_FALSE(find_resume_point(paths, {{"", ""}}));
  write(paths.journal, {run_opened{"a", 7, 2}});
  CHECK(find_resume_point(paths, {{"", ""}}));
  fs::resize_file(paths.journal / "000001.journal", fs::file_size(paths.journal / "000001.journal") - 1);
  CHECK_FALSE(find_resume_point(paths, {{"", ""}}));
}

TEST_CASE("a prompt trained twice, or out of nowhere, is a fault of the journal") {
  const test::scratch folder;
  write(folder.path(), a_run());
  CHECK(read_history(folder.path()).fault.empty());
  const auto [id, told] =
      GENERATE(table<std::uint64_t, std::string>({{0, "prompt 0 went from trained to trained"},
                                                  {4, "prompt 4 went from dropped to trained"},
                                                  {5, "prompt 5 went from running to trained"},
                                                  {99, "prompt 99 went from nowhere to trained"}}));
  write(folder.path(), {prompt_moved{id, rollout_state::trained, "made a version"}});
  CHECK(read_history(folder.path()).fault == told);
}

TEST_CASE("a crash at any byte leaves a journal that can be read and gone on with") {
  const test::scratch folder;
  write(folder.path(), a_run());
  const auto file = folder.path() / "000001.journal";
  std::ifstream in(file, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const std::int64_t all = records(folder.path());
  for (std::size_t left = 0; left < whole.size(); left += 7) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, left);
    std::int64_t kept = 0;
    if (left > 0) {
      const auto damage = read_journal(folder.path(), [&](const journal_record &) { ++kept; });
      CHECK((!damage || damage->torn));
    }
    CHECK(kept < all);
    write(folder.path(), {run_resumed{{{"", 0}}}});
    CHECK(records(folder.path()) == kept + 1);
    CHECK_NOTHROW(read_history(folder.path(), {{"", 0}}));
  }
}

namespace {

struct synced_run {
  std::string bytes;          // of the only file
  std::uint64_t durable = 0;  // bytes that were on the disk when the last records were written
  std::int64_t records = 0;   // that stand there
};

// A run that syncs after every fifth record, and has written some more since.
synced_run write_synced(const fs::path &folder) {
  synced_run run;
  const auto file = folder / "000001.journal";
  {
    journal_writer writer(folder);
    const auto events = a_run();
    const std::size_t last = (events.size() - 3) / 5 * 5;
    for (std::size_t i = 0; i < events.size(); ++i) {
      writer.append({12, events[i]});
      if (i % 5 == 0 && i <= last) writer.sync();
      if (i != last) continue;
      run.durable = fs::file_size(file);
      run.records = static_cast<std::int64_t>(i) + 1;
    }
  }
  run.bytes = test::read_text(file);
  return run;
}

std::int64_t readable(const fs::path &folder, std::optional<journal_damage> &damage) {
  std::int64_t count = 0;
  damage = read_journal(folder, [&](const journal_record &) { ++count; });
  return count;
}

}  // namespace

TEST_CASE("a flipped bit in what was synced is found and named, and not gone on with") {
  const test::scratch folder;
  const auto run = write_synced(folder.path());
  for (std::size_t at = 4; at < run.durable; at += 11) {
    auto bytes = run.bytes;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    folder.write("000001.journal", bytes);
    const auto damage = read_journal(folder.path(), [](const journal_record &) {});
    REQUIRE(damage);
    CHECK(damage->offset <= at);
    CHECK_FALSE(damage->torn);
    CHECK_THAT(to_string(*damage), test::Contains("000001.journal: damaged at byte "));
    CHECK_THROWS_AS(journal_writer(folder.path()), input_error);
    CHECK_THROWS_AS(read_history(folder.path(), {{"", 0}}), input_error);
  }
}

TEST_CASE("whatever a power cut makes of the bytes behind the last sync, the run goes on from there") {
  const test::scratch folder;
  const auto run = write_synced(folder.path());
  REQUIRE(run.durable + 60 < run.bytes.size());
  std::mt19937 dice(7);
  const auto noise = [&](std::string &bytes, std::size_t from, std::size_t to) {
    for (auto at = from; at < to; ++at) bytes[at] = static_cast<char>(dice());
  };
  for (int round = 0; round < 60; ++round) {
    auto bytes = run.bytes;
    const auto size = bytes.size();
    const auto from = run.durable + dice() % (size - run.durable);
    const auto to = from + 1 + dice() % (size - from);
    CAPTURE(round, from, to);
    if (round % 5 == 0) bytes.resize(from);  // not written
    if (round % 5 == 1)
      std::fill(bytes.begin() + from, bytes.end(), '\0');  // the size came, the data did not
    if (round % 5 == 2) noise(bytes, from, size);          // old blocks
    if (round % 5 == 3)
      std::fill(bytes.begin() + from, bytes.begin() + to, '\0');  // a later block came first
    if (round % 5 == 4) bytes.append(1 + dice() % 9000, '\0');    // blocks ahead of the end
    folder.write("000001.journal", bytes);
    std::optional<journal_damage> damage;
    const auto kept = readable(folder.path(), damage);
    CHECK(kept >= run.records);
    CHECK((!damage || damage->torn));
    CHECK((!damage || damage->offset >= run.durable));
    CHECK_NOTHROW(read_history(folder.path(), {{"", 0}}));
    write(folder.path(), {run_resumed{{{"", 0}}}});
    CHECK(readable(folder.path(), damage) == kept + 1);
    CHECK_FALSE(damage);
  }
}

TEST_CASE("a new file that a power cut left empty or full of zeros is begun again") {
  for (const std::size_t zeros : {0, 3, 4, 4096}) {
    const test::scratch folder;
    write(folder.path(), a_run());
    const auto before = records(folder.path());
    folder.write("000002.journal", std::string(zeros, '\0'));
    write(folder.path(), {run_resumed{{{"", 0}}}});
    CHECK(records(folder.path()) == before + 1);
    std::optional<journal_damage> damage;
    readable(folder.path(), damage);
    CHECK_FALSE(damage);
  }
}

TEST_CASE("a whole record of a kind that this version does not know is no torn end") {
  const test::scratch folder;
  write(folder.path(), a_run());
  const auto strange =
      [](std::string bytes) {  // the last record's kind is put beyond all, its checksum made right
        const std::string sign("\x53\x4c\x4a\x8a", 4);
        const auto at = bytes.rfind(sign);
        REQUIRE(at != std::string::npos);
        byte_reader in(std::string_view(bytes).substr(at + 12));
        in.get<std::uint8_t>();
        in.count();
        const auto kind = bytes.size() - in.rest().size();
        bytes[kind] = '\x7f';
        const auto sum = crc32(0, reinterpret_cast<const Bytef *>(bytes.data() + at + 12),
                               static_cast<uInt>(bytes.size() - at - 12));
        for (int i = 0; i < 4; ++i)
          bytes[at + 8 + static_cast<std::size_t>(i)] = static_cast<char>(sum >> (8 * i));
        return bytes;
      };
  folder.write("000001.journal", strange(test::read_text(folder / "000001.journal")));
  const auto damage = read_journal(folder.path(), [](const journal_record &) {});
  REQUIRE(damage);
  CHECK_FALSE(damage->torn);
  CHECK_THAT(damage->why, test::Contains("unknown kind"));
  CHECK_THROWS_AS(journal_writer(folder.path()), input_error);
}

TEST_CASE("a checkpoint newer than the journal is refused") {
  const test::scratch folder;
  write(folder.path(), a_run());
  CHECK_NOTHROW(read_history(folder.path(), {{"", 2}}));
  CHECK_THROWS_WITH(read_history(folder.path(), {{"", 3}}),
                    test::Contains("the checkpoint is of version 3, but the journal ends at 2"));
}

TEST_CASE("no journal, and one of another format, are refused") {
  const test::scratch folder;
  CHECK_THROWS_AS(read_journal(folder.path(), [](const journal_record &) {}), input_error);
  std::ofstream(folder.path() / "000001.journal") << "SLJ9 and more";
  CHECK_THROWS_WITH(read_journal(folder.path(), [](const journal_record &) {}),
                    test::Contains("format SLJ2"));
}

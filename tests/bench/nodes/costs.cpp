#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "runtime/journal/journal.hpp"
#include "runtime/nodes/frames.hpp"
#include "runtime/simulation/virtual_run.hpp"
#include "tests/bench/nodes/measurements.hpp"

namespace slipstream::bench {
namespace {

constexpr std::int64_t answers = 8, length = 1024;
constexpr double tokens = answers * length;

/// Tokens of a vocabulary of 152,000 and log-probabilities by chance, which pack badly.
std::vector<generation> made_up_answers() {
  std::mt19937 random(1);
  std::vector<generation> all;
  for (std::int64_t i = 0; i < answers; ++i) {
    generation one;
    for (std::int64_t t = 0; t < length; ++t) {
      one.tokens.push_back(static_cast<std::int64_t>(random() % 152'000));
      one.logprobs.push_back(-1e-9f * static_cast<float>(random()));
      one.versions.push_back(1000 + t / 512);
      one.cache_versions.push_back(1000);
    }
    all.push_back(std::move(one));
  }
  return all;
}

/// Seconds of one core for one call, over half a second of them.
template <class Act>
double seconds_of(const Act &act) {
  act();
  std::int64_t calls = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::duration<double> took{};
  for (; took.count() < 0.5; took = std::chrono::steady_clock::now() - begin) act(), ++calls;
  return took.count() / static_cast<double>(calls);
}

void print(const char *what, std::size_t bytes, double seconds) {
  fmt::print("{:<44} {:5.1f} bytes a token, {:6.2f} M tokens/s of one core\n", what,
             static_cast<double>(bytes) / tokens, tokens / seconds / 1e6);
}

/// What the journal's file takes of a group: its tokens as they come, and what is trained on.
void print_journal(const std::vector<generation> &made) {
  group_progress progress{1, {}};
  auto kept = std::make_shared<sample_group>();
  kept->id = 1, kept->rollouts = answers;
  for (const auto &one : made) {
    progress.samples.push_back({one, true});
    sample each;
    each.tokens = one.tokens, each.behaviour = one.logprobs;
    each.versions = one.versions, each.cache_versions = one.cache_versions;
    each.advantages.assign(one.tokens.size(), 0.5f);
    kept->samples.push_back(std::move(each));
  }
  const journal_record grown{1, progress}, whole{2, group_kept{kept, ""}};
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("slipstream-bench-journal-{}", ::getpid());
  std::filesystem::create_directories(folder);
  {
    journal_writer file(folder);
    file.append(grown), file.append(whole);
    const auto bytes = file.bytes();
    print("both of the journal's records of it", bytes,
          seconds_of([&] { file.append(grown), file.append(whole); }));
  }
  std::filesystem::remove_all(folder);
}

void print_messages() {
  const rollouts_frame group{1, made_up_answers(),
                             std::vector<std::string>(answers, std::string(4 * length, 'x'))};
  const node_frame frame = group;
  print("a group's frame, written and read", encode_frame(frame).size(),
        seconds_of([&] { decode_frame(encode_frame(frame)); }));
  print_journal(group.rollouts);
}

/// The run's own ledger and buffer, with samplers that only take time.
void print_books(std::size_t samplers, std::int64_t batch) {
  schedule_rules rules;
  rules.batch = batch;
  rules.max_staleness = 2;
  auto setup = model_setup::of(rules, order_rows().front(), answers, 100);
  setup.samplers = samplers;
  setup.slots = std::max<std::int64_t>(1, 2 * batch / answers / static_cast<std::int64_t>(samplers));
  virtual_costs costs;
  costs.spread = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto report = run_virtually(setup, costs, 1, 1'000'000'000);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const auto groups = static_cast<double>(100 * batch / answers);
  fmt::print("ledger and buffer, {:4} samplers, batch {:6} {:12.0f} groups/s of one core{}\n", samplers,
             batch, groups / took.count(), report.finished ? "" : " (NOT FINISHED)");
}

}  // namespace

void central_costs(const arguments &) {
  print_messages();
  print_books(8, 1024);
  print_books(64, 1024);
  print_books(64, 8192);
  print_books(1024, 8192);
}

}  // namespace slipstream::bench

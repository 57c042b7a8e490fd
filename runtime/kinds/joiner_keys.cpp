#include "runtime/kinds/joiner_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/kinds/kinds.hpp"

namespace slipstream {
namespace {

/// Where statistics of the batch follow, the key is of no use.
zero_advantage_groups read_alike(settings &s, const advantage_row &row) {
  if (row.over_batch) return zero_advantage_groups::keep;
  const auto choice = s.choice("zero_groups", {"skip", "keep", "refill"});
  return choice == "skip"   ? zero_advantage_groups::skip
         : choice == "keep" ? zero_advantage_groups::keep
                            : zero_advantage_groups::refill;
}

std::int64_t read_patience(settings &s) {
  return s.integer("give_up_after", 20, 0, 1'000'000);
}

kind_row advantage_kind(const advantage_row &advantage) {
  auto row = joiner("advantage." + std::string(advantage.name),
                    "advantages from the rewards of a group: " + std::string(advantage.source),
                    {port::scores, port::logprobs}, {port::scores});
  row.read = [&advantage](actor_config &config) {
    auto s = config.settings();
    advantage_keys keys;
    keys.row = &advantage;
    keys.weights = read_weights(s, config);
    keys.alike = read_alike(s, advantage);
    keys.give_up_after = advantage.over_batch ? 0 : read_patience(s);
    s.finish();
    config.node = s.resolved();
    config.facts.drops_equal_rewards = keys.alike == zero_advantage_groups::refill;
    config.facts.drops_by = "zero_groups";
    config.keys.set(std::move(keys));
  };
  return row;
}

pairs_keys read_pairs(settings &s, const actor_config &config) {
  pairs_keys keys;
  keys.weights = read_weights(s, config);
  keys.give_up_after = read_patience(s);
  return keys;
}

void tell_pairs(const pairs_keys &, actor_facts &facts) {
  facts.drops_equal_rewards = true;
}

}  // namespace

scorer_weights read_weights(settings &s, const actor_config &config) {
  scorer_weights weights;
  const auto *table = s.find("weights");
  if (!table) return weights;
  if (!table->as_table()) s.fail("weights", "weights is a table, such as { correct = 1.0 }");
  settings entries(*table);
  for (const auto &entry : *table->as_table()) {
    const auto taken = std::any_of(config.takes.begin(), config.takes.end(),
                                   [&](const auto &input) { return input.name == entry.key; });
    if (!taken)
      fail_at(entry.at,
              fmt::format("[actors.{}] weights names \"{}\", which is not in takes", config.name, entry.key));
    weights[entry.key] = entries.required_number(entry.key);
  }
  return weights;
}

kind_row joiner(std::string name, std::string summary, std::vector<std::string> accepts,
                std::vector<std::string> needs) {
  kind_row row;
  row.name = std::move(name);
  row.summary = std::move(summary);
  row.ports.accepts = std::move(accepts);
  row.ports.needs = std::move(needs);
  row.ports.gives = port::samples;
  return row;
}

std::vector<kind_row> advantage_rows_of_table() {
  std::vector<kind_row> rows;
  for (const auto &advantage : advantage_rows()) rows.push_back(advantage_kind(advantage));
  return rows;
}

kind_row pairs_row() {
  auto row = joiner("pairs", "the best and the worst rated answer of a group, as a pair", {port::scores}, {});
  row.read = reader(read_pairs, tell_pairs);
  return row;
}

std::vector<kind_row> join_rows() {
  auto rows = advantage_rows_of_table();
  rows.push_back(pairs_row());
  return rows;
}

}  // namespace slipstream

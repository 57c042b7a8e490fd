#include "runtime/kinds/scorer_keys.hpp"

#include "runtime/kinds/kinds.hpp"

namespace slipstream {
namespace {

void read_nothing(settings &, rule_scorer_keys &) {}

void read_countdown(settings &s, rule_scorer_keys &keys) {
  keys.partial = s.number("partial", 0, 0, 1);
}

void read_overlong(settings &s, rule_scorer_keys &keys) {
  keys.max_length = s.required_integer("max_length", 1, 1 << 24);
  keys.cache = s.required_integer("cache", 1, 1 << 24);
  if (keys.cache > keys.max_length)
    s.fail("cache", "cache is the part of max_length where the penalty grows; make it less");
}

struct rule_row {
  scoring_rule rule;
  const char *name, *summary;
  bool compares;  ///< with the line's own answer
  void (*read)(settings &, rule_scorer_keys &);
};
constexpr rule_row rules[] = {
    {scoring_rule::exact_match, "scorer.exact_match", "1 when the answer is the expected one", true,
     read_nothing},
    {scoring_rule::edit_similarity, "scorer.edit_similarity",
     "how near the answer is to the expected one, by edits", true, read_nothing},
    {scoring_rule::countdown, "scorer.countdown",
     "1 when the answer's expression makes the target of the given numbers", true, read_countdown},
    {scoring_rule::overlong, "scorer.overlong", "0 for short answers, falling to -1 at the length limit",
     false, read_overlong},
};

void read_rule(const rule_row &row, actor_config &config) {
  auto s = config.settings();
  rule_scorer_keys keys;
  keys.rule = row.rule;
  row.read(s, keys);
  keys.replicas = s.integer("replicas", 1, 1, 1024);
  s.finish();
  config.node = s.resolved();
  config.facts.replicas = keys.replicas;
  config.facts.compares_answers = row.compares;
  config.keys.set(keys);
}

struct model_row {
  scoring_task asked;
  const char *name, *summary, *gives;
};
constexpr model_row models[] = {
    {scoring_task::reward, "scorer.reward_model", "the score of a reward model's head", port::scores},
    {scoring_task::value, "critic", "a critic's estimate of the return before every token", port::values},
    {scoring_task::reference, "reference",
     "log-probabilities of the answers under a model that stays, for KL", port::logprobs},
};

void read_model(scoring_task asked, actor_config &config) {
  auto s = config.settings();
  model_scorer_keys keys;
  keys.asked = asked;
  keys.model = s.required_text("model");
  keys.threads = s.integer("threads", 1, 1, 1024);
  keys.replicas = s.integer("replicas", 1, 1, 1024);
  if (asked == scoring_task::reference) {
    keys.refresh_every = s.integer("refresh_every", 0, 0, 1 << 20);
    keys.teaches = s.text("teaches", "");
  }
  s.finish();
  config.node = s.resolved();
  auto &facts = config.facts;
  facts.model = keys.model;
  facts.follows = asked != scoring_task::reference;
  facts.threads = keys.threads;
  facts.replicas = keys.replicas;
  facts.refresh_every = keys.refresh_every;
  facts.teaches = keys.teaches;
  config.keys.set(keys);
}

/// A kind that scores rollouts.
kind_row scorer_kind(const char *name, const char *summary, const char *gives) {
  kind_row row;
  row.name = name;
  row.summary = summary;
  row.ports.accepts = {port::rollouts};
  row.ports.gives = gives;
  row.placeable = true;
  return row;
}

}  // namespace

std::vector<kind_row> rule_scorer_rows() {
  std::vector<kind_row> rows;
  for (const auto &rule : rules) {
    rows.push_back(scorer_kind(rule.name, rule.summary, port::scores));
    rows.back().read = [&rule](actor_config &config) { read_rule(rule, config); };
  }
  return rows;
}

std::vector<kind_row> model_scorer_rows() {
  std::vector<kind_row> rows;
  for (const auto &model : models) {
    rows.push_back(scorer_kind(model.name, model.summary, model.gives));
    rows.back().read = [asked = model.asked](actor_config &config) { read_model(asked, config); };
  }
  return rows;
}

std::vector<kind_row> scorer_rows() {
  auto rows = rule_scorer_rows();
  for (auto &row : model_scorer_rows()) rows.push_back(std::move(row));
  return rows;
}

}  // namespace slipstream

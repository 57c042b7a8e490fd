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

void read_number(settings &s, rule_scorer_keys &keys) {
  keys.mark = s.text("mark", "");
  keys.tolerance = s.number("tolerance", 0, 0, 1);
  keys.partial = s.number("partial", 0, 0, 1);
}

double number_of(settings &s, const char *key, const node &value) {
  if (const auto *number = std::get_if<double>(&value.value)) return *number;
  if (const auto *whole = value.as_integer()) return static_cast<double>(*whole);
  s.fail(key, std::string(key) + " is a list of numbers, such as [1, 0.5]");
}

void read_format(settings &s, rule_scorer_keys &keys) {
  keys.patterns = s.required_texts("patterns");
  if (const auto *given = s.find("scores")) {
    if (!given->as_array()) s.fail("scores", "scores is a list of numbers, one a pattern");
    for (const auto &each : *given->as_array()) keys.scores.push_back(number_of(s, "scores", each));
    if (keys.scores.size() != keys.patterns.size())
      s.fail("scores", "there are " + std::to_string(keys.scores.size()) + " scores for " +
                           std::to_string(keys.patterns.size()) + " patterns; write one for each");
  }
  keys.scores.resize(keys.patterns.size(), 1);
}

counted read_unit(settings &s, const std::vector<std::string> &names) {
  const auto unit = s.choice("unit", names);
  return unit == "characters" ? counted::characters : unit == "words" ? counted::words : counted::tokens;
}

void read_length(settings &s, rule_scorer_keys &keys) {
  keys.limit = s.required_integer("limit", 1, 1 << 24);
  keys.unit = read_unit(s, {"characters", "words", "tokens"});
  keys.least = s.number("least", 0, -1e6, 1);
}

void read_contains(settings &s, rule_scorer_keys &keys) {
  keys.texts = s.texts("texts");
  keys.without = s.texts("without");
  keys.any = s.flag("any", false);
  keys.ignore_case = s.flag("ignore_case", false);
}

void read_repetition(settings &s, rule_scorer_keys &keys) {
  keys.n = s.integer("n", 3, 1, 1024);
  keys.unit = read_unit(s, {"words", "characters", "tokens"});
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
    {scoring_rule::number, "scorer.number", "1 when the answer's number is the expected one", true,
     read_number},
    {scoring_rule::format, "scorer.format", "the sum of the scores of the patterns that an answer matches",
     false, read_format},
    {scoring_rule::length, "scorer.length", "1 for an empty answer, falling to 0 at a length", false,
     read_length},
    {scoring_rule::contains, "scorer.contains",
     "whether the answer holds given texts, or the expected answer", false, read_contains},
    {scoring_rule::repetition, "scorer.repetition", "0 for an answer without repeats, falling to -1", false,
     read_repetition},
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
  const bool expected = row.rule == scoring_rule::contains && keys.texts.empty() && keys.without.empty();
  config.facts.compares_answers = row.compares || expected;
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

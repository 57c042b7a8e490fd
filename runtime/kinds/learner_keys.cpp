#include "runtime/kinds/learner_keys.hpp"

#include "runtime/kinds/kinds.hpp"

#include "runtime/kinds/correction_keys.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t most_counted = 1'000'000'000;

const objective_row &read_objective(settings &s) {
  const auto name = s.required_text("loss");
  std::vector<std::string> known;
  for (const auto &row : objective_rows()) {
    if (row.name == name) return row;
    known.emplace_back(row.name);
  }
  s.fail("loss", "loss = \"" + name + "\" is not a loss." + did_you_mean(name, known) + " There are " +
                     listed(known));
}

/// A key of one loss. It stands in the topology as run only where it was given, so that runs begun before
/// there was such a key go on.
double number_of(settings &s, const objective_row &row, std::string_view loss, const std::string &key,
                 double otherwise) {
  if (!s.has(key)) return otherwise;
  if (row.name != loss)
    s.fail(key, key + " is of no use here: it belongs to loss = \"" + std::string(loss) + "\"");
  return s.number(key, otherwise, 0);
}

/// The keys of losses that learn from people's judgements.
void read_judgements(settings &s, const objective_row &row, objective_options &loss) {
  loss.nu = number_of(s, row, "reward_pairs", "nu", loss.nu);
  loss.positive_weight = number_of(s, row, "reward_binary", "positive_weight", loss.positive_weight);
  loss.lambda_good = number_of(s, row, "kto", "lambda_good", loss.lambda_good);
  loss.lambda_bad = number_of(s, row, "kto", "lambda_bad", loss.lambda_bad);
  if (s.has("per_place") && row.name != "reward_rankings")
    s.fail("per_place", "per_place is of no use here: it belongs to loss = \"reward_rankings\"");
  if (s.has("per_place")) loss.per_place = s.flag("per_place", false);
}

objective_options read_loss(settings &s, const objective_row &row) {
  auto loss = row.defaults;
  loss.aggregate = parse_aggregation(
      s.choice("aggregation", {std::string(to_string(loss.aggregate)), "token_mean", "seq_mean_token_mean",
                               "seq_mean_token_sum", "seq_mean_token_sum_norm"}));
  loss.horizon = s.number("horizon", loss.horizon, 0);
  if (loss.aggregate == aggregation::seq_mean_token_sum_norm && loss.horizon <= 0)
    s.fail("horizon",
           "aggregation = \"seq_mean_token_sum_norm\" divides by horizon; write horizon = the sampler's " +
               std::string("max_new_tokens"));
  loss.clip.low = s.number("eps_low", loss.clip.low, 0);
  loss.clip.high = s.number("eps_high", loss.clip.high, 0);
  loss.dual_clip = s.number("dual_clip", loss.dual_clip, 1);
  loss.weights.cap = parse_weight_cap(
      s.choice("weight_cap", {std::string(to_string(loss.weights.cap)), "none", "truncate", "mask"}));
  loss.weights.low = s.number("weight_low", loss.weights.low, 0);
  loss.weights.high = s.number("weight_high", loss.weights.high, 0);
  loss.kl_coefficient = s.number("kl", loss.kl_coefficient, 0);
  loss.kl = parse_kl_estimator(s.choice("kl_estimator", {"k3", "k1", "k2", "k3_through"}));
  loss.entropy_coefficient = s.number("entropy", loss.entropy_coefficient, 0);
  loss.beta = s.number("beta", loss.beta, 0);
  loss.label_smoothing = s.number("label_smoothing", loss.label_smoothing, 0, 0.5);
  loss.centring = s.number("centring", loss.centring, 0);
  loss.value_clip = s.number("value_clip", loss.value_clip, 0);
  read_judgements(s, row, loss);
  return loss;
}

void read_step(settings &s, learner_keys &keys) {
  keys.rate.rate = s.required_number("learning_rate", 0);
  keys.rate.shape = parse_schedule_shape(s.choice("decay", {"cosine", "linear", "constant"}));
  keys.warmup = s.integer("warmup", 0, 0, most_counted);
  keys.sft_weight = s.number("sft_weight", 0, 0);
  keys.sft_batch = s.integer("sft_batch", 32, 1, most_counted);
  keys.start_after = s.integer("start_after", 0, 0, most_counted);
  keys.rate.final_ratio = s.number("final_ratio", 0.1, 0, 1);
  keys.optimizer.beta1 = s.number("beta1", 0.9, 0, 1);
  keys.optimizer.beta2 = s.number("beta2", 0.95, 0, 1);
  keys.optimizer.weight_decay = s.number("weight_decay", 0.0, 0);
  keys.max_grad_norm = s.number("max_grad_norm", 1.0, 0);
}

void read_work(settings &s, learner_keys &keys) {
  keys.micro_batch = s.integer("micro_batch", 32, 1, most_counted);
  keys.mini_batches = s.integer("mini_batches", 1, 1, most_counted);
  keys.epochs = s.integer("epochs", 1, 1, most_counted);
  keys.threads = s.integer("threads", 1, 1, 1024);
  keys.replicas = s.integer("replicas", 1, 1, 64);
  keys.zero = s.integer("zero", 0, 0, 3);
  keys.rank_timeout = s.integer("rank_timeout", 60, 1, 86400);
}

learner_keys read_learner(settings &s) {
  learner_keys keys;
  keys.model = s.required_text("model");
  keys.objective = &read_objective(s);
  keys.loss = read_loss(s, *keys.objective);
  read_corrections(s, keys);
  keys.reference = s.text("reference", "");
  read_step(s, keys);
  read_work(s, keys);
  keys.allow_uncorrected = s.flag("allow_uncorrected", false);
  return keys;
}

example_form lines_of(input_kind kind) {
  switch (kind) {
    case input_kind::score_pairs:
    case input_kind::preference_pairs:
      return example_form::pair;
    case input_kind::scores:
      return example_form::rated;
    case input_kind::labels:
    case input_kind::labelled_answers:
      return example_form::labelled;
    case input_kind::score_lists:
      return example_form::ranking;
    default:
      return example_form::demonstration;
  }
}

void tell_learner(const learner_keys &keys, actor_facts &facts) {
  facts.model = keys.model;
  facts.reference = keys.reference;
  facts.threads = keys.threads;
  facts.ranks = keys.replicas;
  facts.learns_ties = keys.loss.nu > 0;
  facts.lines = lines_of(keys.objective->kind);
  facts.compares_preferences = keys.objective->kind == input_kind::preference_pairs ||
                               keys.objective->kind == input_kind::labelled_answers;
}

}  // namespace

bool trains_head(const objective_row &row) {
  return row.kind == input_kind::values || row.kind == input_kind::score_pairs ||
         row.kind == input_kind::scores || row.kind == input_kind::labels ||
         row.kind == input_kind::score_lists;
}

kind_row learner_row() {
  kind_row row;
  row.name = "learner";
  row.summary = "trains a model by a loss and publishes its versions";
  row.ports.accepts = {port::samples, port::examples};
  row.ports.gives = port::versions;
  row.ports.may_end_here = true;
  row.placeable = true;  // its ranks are
  row.read = reader(read_learner, tell_learner);
  return row;
}

std::vector<kind_row> learner_rows() {
  return {learner_row()};
}

}  // namespace slipstream

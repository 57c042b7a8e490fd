#include "models/objectives/options.hpp"

#include "models/objectives/words.hpp"

namespace slipstream {
namespace {

constexpr word<aggregation> names[] = {
    {"token_mean", aggregation::token_mean},
    {"seq_mean_token_mean", aggregation::seq_mean_token_mean},
    {"seq_mean_token_sum", aggregation::seq_mean_token_sum},
    {"seq_mean_token_sum_norm", aggregation::seq_mean_token_sum_norm},
};

constexpr word<kl_estimator> estimators[] = {
    {"k1", kl_estimator::k1},
    {"k2", kl_estimator::k2},
    {"k3", kl_estimator::k3},
    {"k3_through", kl_estimator::k3_through},
};

constexpr word<weight_cap> cap_names[] = {
    {"none", weight_cap::none},
    {"truncate", weight_cap::truncate},
    {"mask", weight_cap::mask},
};

constexpr word<weight_level> level_names[] = {
    {"token", weight_level::token},
    {"sequence_product", weight_level::sequence_product},
    {"sequence_geometric", weight_level::sequence_geometric},
};

constexpr word<schedule_shape> shapes[] = {
    {"constant", schedule_shape::constant},
    {"cosine", schedule_shape::cosine},
    {"linear", schedule_shape::linear},
};

}  // namespace

aggregation parse_aggregation(std::string_view name) {
  return find_word(names, "aggregation", name);
}
std::string_view to_string(aggregation how) {
  return word_of(names, how);
}
kl_estimator parse_kl_estimator(std::string_view name) {
  return find_word(estimators, "KL estimator", name);
}
std::string_view to_string(kl_estimator how) {
  return word_of(estimators, how);
}
weight_cap parse_weight_cap(std::string_view name) {
  return find_word(cap_names, "weight cap", name);
}
std::string_view to_string(weight_cap how) {
  return word_of(cap_names, how);
}
weight_level parse_weight_level(std::string_view name) {
  return find_word(level_names, "weight level", name);
}
std::string_view to_string(weight_level level) {
  return word_of(level_names, level);
}
schedule_shape parse_schedule_shape(std::string_view name) {
  return find_word(shapes, "learning-rate schedule", name);
}
std::string_view to_string(schedule_shape shape) {
  return word_of(shapes, shape);
}

}  // namespace slipstream

#include "runtime/feedback/agreement.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace slipstream {
namespace {

/// How often each pair of ratings meets in a unit, each unit counting as many times as it has ratings.
struct coincidences {
  std::map<std::pair<std::size_t, std::size_t>, double> pairs;  ///< by the ratings' places in `values`
  std::vector<double> values, counts;
  double total = 0;
};

std::vector<double> values_in(const std::vector<ratings_of_one> &people) {
  std::vector<double> values;
  for (const auto &one : people)
    for (const auto &rating : one)
      if (rating) values.push_back(*rating);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

coincidences count_coincidences(const std::vector<ratings_of_one> &people) {
  coincidences found;
  found.values = values_in(people);
  found.counts.resize(found.values.size());
  const std::size_t units = people.empty() ? 0 : people.front().size();
  for (std::size_t unit = 0; unit < units; ++unit) {
    std::vector<std::size_t> given;
    for (const auto &one : people)
      if (one[unit])
        given.push_back(static_cast<std::size_t>(
            std::lower_bound(found.values.begin(), found.values.end(), *one[unit]) - found.values.begin()));
    if (given.size() < 2) continue;
    const double weight = 1 / static_cast<double>(given.size() - 1);
    for (std::size_t i = 0; i < given.size(); ++i) {
      found.counts[given[i]] += 1;
      found.total += 1;
      for (std::size_t j = 0; j < given.size(); ++j)
        if (i != j) found.pairs[{given[i], given[j]}] += weight;
    }
  }
  return found;
}

double squared_distance(const coincidences &all, rating_scale scale, std::size_t i, std::size_t j) {
  if (i == j) return 0;
  if (scale == rating_scale::nominal) return 1;
  double apart = all.values[i] - all.values[j];
  if (scale == rating_scale::ordinal) {
    apart = -(all.counts[i] + all.counts[j]) / 2;
    for (auto between = std::min(i, j); between <= std::max(i, j); ++between) apart += all.counts[between];
  }
  return apart * apart;
}

}  // namespace

std::optional<double> cohen_kappa(const ratings_of_one &first, const ratings_of_one &second) {
  double both = 0, equal = 0, by_chance = 0;
  std::map<double, std::pair<double, double>> counts;
  for (std::size_t unit = 0; unit < std::min(first.size(), second.size()); ++unit) {
    if (!first[unit] || !second[unit]) continue;
    ++both;
    equal += *first[unit] == *second[unit] ? 1 : 0;
    ++counts[*first[unit]].first;
    ++counts[*second[unit]].second;
  }
  if (both == 0) return {};
  for (const auto &[value, count] : counts) by_chance += count.first * count.second / (both * both);
  if (by_chance >= 1) return {};
  return (equal / both - by_chance) / (1 - by_chance);
}

std::optional<double> krippendorff_alpha(const std::vector<ratings_of_one> &people, rating_scale scale) {
  const auto all = count_coincidences(people);
  double observed = 0, expected = 0;
  for (const auto &[pair, count] : all.pairs)
    observed += count * squared_distance(all, scale, pair.first, pair.second);
  for (std::size_t i = 0; i < all.values.size(); ++i)
    for (std::size_t j = 0; j < all.values.size(); ++j)
      expected += all.counts[i] * all.counts[j] * squared_distance(all, scale, i, j);
  if (!(expected > 0)) return {};
  return 1 - (all.total - 1) * observed / expected;
}

}  // namespace slipstream

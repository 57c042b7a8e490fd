#pragma once

#include <string>
#include <vector>

namespace slipstream {

/// Pearson's correlation of two lists of one length; 0 where one of them does not vary.
double pearson(const std::vector<double> &a, const std::vector<double> &b);

/// Spearman's: that of the ranks, ties sharing their mean rank.
double spearman(const std::vector<double> &a, const std::vector<double> &b);

/// Distinct n-grams of words as a share of all n-grams of the texts (arXiv:1510.03055); 0 without any.
double distinct_ngrams(const std::vector<std::string> &texts, std::size_t n);

/// Distinct texts as a share of all; 0 without any.
double distinct_texts(const std::vector<std::string> &texts);

}  // namespace slipstream

#include "runtime/evaluation/figures.hpp"

#include "tests/support/test.hpp"

using namespace slipstream;

TEST_CASE("correlations of values and of ranks") {
  const std::vector<double> a{1, 2, 3, 4, 5};
  CHECK(pearson(a, {2, 4, 6, 8, 10}) == Approx(1));
  CHECK(pearson(a, {5, 4, 3, 2, 1}) == Approx(-1));
  CHECK(pearson(a, {1, 3, 2, 5, 4}) == Approx(0.8));
  CHECK(pearson(a, {7, 7, 7, 7, 7}) == 0);
  CHECK(pearson({}, {}) == 0);
  CHECK(spearman(a, {1, 10, 100, 1000, 10000}) == Approx(1));
  CHECK(pearson(a, {1, 10, 100, 1000, 10000}) < 0.8);
  CHECK(spearman({1, 2, 2, 3}, {1, 2, 3, 4}) == Approx(0.9486832981));  // ties share their mean rank
}

TEST_CASE("distinct n-grams and texts are shares of all of them") {
  const std::vector<std::string> texts{"a b a b", "a  b\nc", "", "a b a b"};
  CHECK(distinct_ngrams(texts, 1) == Approx(3.0 / 11));
  CHECK(distinct_ngrams(texts, 2) == Approx(3.0 / 8));  // a b, b a, b c: words of two texts make none
  CHECK(distinct_ngrams(texts, 5) == 0);
  CHECK(distinct_texts(texts) == Approx(0.75));
  CHECK(distinct_texts({}) == 0);
}

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/feedback/verdict.hpp"

namespace slipstream {

/// A person who is simulated: how they judge, and how long that takes.
struct simulated_annotator {
  std::uint64_t seed = 0;     ///< of this person
  double noise = 0;           ///< scale of the logistic noise on each answer's worth; 0: none
  double length_bias = 0;     ///< worth that each 100 characters add
  double first_bias = 0;      ///< worth that standing first adds
  double laziness = 0;        ///< share of questions that get a random verdict unread
  double drift = 0;           ///< what the noise grows by over each 1,000 questions
  double tie_width = 0;       ///< answers whose worth differs by less are a tie
  double bad_below = -1e300;  ///< where both are worth less, both are bad
  double seconds = 8;         ///< median of the log-normal time to an answer
  double spread = 0.6;        ///< its standard deviation in nats
};

/// One answer as it is shown.
struct shown_answer {
  double worth = 0;        ///< what a careful judge would say
  std::size_t length = 0;  ///< characters
};

struct simulated_judgement {
  pair_verdict verdict = pair_verdict::tie;
  double seconds = 0;
};

/// The verdict on two answers in the order in which they are shown. A pure function: the same person says the
/// same of question number `question` every time.
simulated_judgement judge_pair(const simulated_annotator &who, std::uint64_t question,
                               const shown_answer &first, const shown_answer &second);

/// A score from `low` to `high`, whole, of a worth of 0 to 1.
double judge_score(const simulated_annotator &who, std::uint64_t question, const shown_answer &answer,
                   int low, int high);
/// Whether the annotator calls the answer good: its worth, from 0 to 1, is at least one half to them.
bool judge_good(const simulated_annotator &who, std::uint64_t question, const shown_answer &answer);
/// The answers' places from the best to the worst.
std::vector<std::size_t> judge_ranking(const simulated_annotator &who, std::uint64_t question,
                                       const std::vector<shown_answer> &answers);

}  // namespace slipstream

#pragma once

#include <string>
#include <vector>

#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

/// How a scorer without a model scores an answer.
enum class scoring_rule {
  exact_match,
  edit_similarity,
  countdown,
  overlong,
  number,
  format,
  length,
  contains,
  repetition
};

/// What scorer.length and scorer.repetition count.
enum class counted { characters, words, tokens };

/// The keys of a scorer without a model.
struct rule_scorer_keys {
  scoring_rule rule = scoring_rule::exact_match;
  double partial = 0;  ///< countdown: for an expression of the right form; number: for another number
  std::int64_t max_length = 0, cache = 0;   ///< overlong
  std::string mark;                         ///< number: what stands before the answer's number
  double tolerance = 0;                     ///< number: relative to the expected one
  std::vector<std::string> patterns;        ///< format
  std::vector<double> scores;               ///< format: one a pattern
  counted unit = counted::characters;       ///< length, repetition
  std::int64_t limit = 0;                   ///< length: where the score is 0
  double least = 0;                         ///< length: no score is below
  std::vector<std::string> texts, without;  ///< contains; no texts: the line's answer
  bool any = false, ignore_case = false;    ///< contains
  std::int64_t n = 0;                       ///< repetition: parts in a run
  std::int64_t replicas = 1;
};

/// What a model computes of rollouts. A reward model and a critic follow the learner of their model, if it
/// has one; a reference stays as it was at the start.
enum class scoring_task { reward, value, reference };

/// The keys of actors that run a model over rollouts.
struct model_scorer_keys {
  scoring_task asked = scoring_task::reward;
  std::string model;
  std::int64_t threads = 1, replicas = 1;
  std::int64_t refresh_every = 0;  ///< of a reference, versions; 0: never
  std::string teaches;             ///< of a reference: the lines whose field `teacher` says so; empty: all

  bool needs_head() const { return asked != scoring_task::reference; }
};

std::vector<kind_row> rule_scorer_rows();
std::vector<kind_row> model_scorer_rows();

}  // namespace slipstream

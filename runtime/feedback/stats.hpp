#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/feedback/book.hpp"

namespace slipstream {

/// A verdict with what its figures need of its question.
struct judged_row {
  std::string question, annotator, verdict;
  std::vector<std::size_t> order;
  std::int64_t shown_ns = 0, answered_ns = 0;
  question_form form = question_form::pair;
  std::string gold{};
};
/// All judgements that hold, in the order in which they came.
std::vector<judged_row> judged_rows(const feedback_book &book);

/// What judgements say of the people who gave them: "annotators" (judgements, median seconds, judgements an
/// hour of judging, share of known answers met), "agreement" by form (Krippendorff's alpha, Cohen's kappa of
/// every two people; null where there is none), "position" (the share of decided pairs whose first shown
/// answer won, with a 95 % interval) and "days" (judgements by UTC day).
nlohmann::json feedback_figures(const std::vector<judged_row> &rows);

}  // namespace slipstream

#include "runtime/feedback/stats.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "runtime/feedback/agreement.hpp"
#include "runtime/feedback/order_text.hpp"
#include "runtime/feedback/verdict.hpp"

namespace slipstream {
namespace {

using json = nlohmann::json;

/// A verdict as a number: of rankings there is no one number, so these have no figure of agreement.
std::optional<double> rating_of(const judged_row &row) {
  switch (row.form) {
    case question_form::pair:
      return static_cast<double>(parse_verdict(row.verdict));
    case question_form::label:
      return row.verdict == "good" ? 1 : 0;
    case question_form::score:
      return std::stod(row.verdict);
    case question_form::ranking:
      break;
  }
  return {};
}

/// Ratings of one form, by person, of the questions that more than one person judged.
std::map<std::string, ratings_of_one> rated_together(const std::vector<judged_row> &rows,
                                                     question_form form) {
  std::map<std::string, std::vector<const judged_row *>> by_question;
  for (const auto &row : rows)
    if (row.form == form) by_question[row.question].push_back(&row);
  std::erase_if(by_question, [](const auto &each) { return each.second.size() < 2; });
  std::map<std::string, ratings_of_one> people;
  std::size_t unit = 0;
  for (const auto &[question, given] : by_question) {
    for (const auto *row : given) {
      auto &own = people[row->annotator];
      own.resize(by_question.size());
      own[unit] = rating_of(*row);
    }
    ++unit;
  }
  return people;
}

json or_null(const std::optional<double> &figure) {
  return figure ? json(*figure) : json();
}

json agreement_of(const std::vector<judged_row> &rows, question_form form) {
  const auto people = rated_together(rows, form);
  if (people.empty()) return {};
  std::vector<ratings_of_one> ratings;
  for (const auto &[name, own] : people) ratings.push_back(own);
  json made = {{"questions", ratings.front().size()},
               {"alpha_nominal", or_null(krippendorff_alpha(ratings, rating_scale::nominal))},
               {"kappa", json::array()}};
  if (form == question_form::score) {
    made["alpha_ordinal"] = or_null(krippendorff_alpha(ratings, rating_scale::ordinal));
    made["alpha_interval"] = or_null(krippendorff_alpha(ratings, rating_scale::interval));
  }
  for (auto a = people.begin(); a != people.end(); ++a)
    for (auto b = std::next(a); b != people.end(); ++b)
      if (const auto kappa = cohen_kappa(a->second, b->second))
        made["kappa"].push_back({{"annotators", {a->first, b->first}}, {"kappa", *kappa}});
  return made;
}

json annotator_figures(const std::vector<const judged_row *> &own) {
  std::vector<double> seconds;
  double known = 0, met = 0, total = 0;
  for (const auto *row : own) {
    if (!row->order.empty()) {  // else nobody knows when it was shown
      seconds.push_back(static_cast<double>(row->answered_ns - row->shown_ns) / 1e9);
      total += seconds.back();
    }
    if (row->gold.empty()) continue;
    ++known;
    met += row->gold == row->verdict ? 1 : 0;
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  if (!seconds.empty()) std::nth_element(seconds.begin(), middle, seconds.end());
  return {{"judgements", own.size()},
          {"median_seconds", seconds.empty() ? json() : json(*middle)},
          {"per_hour", total > 0 ? json(static_cast<double>(seconds.size()) * 3600 / total) : json()},
          {"known_asked", known},
          {"known_met", known > 0 ? json(met / known) : json()}};
}

/// How often the answer that was shown first won, with Wilson's interval.
json position_figures(const std::vector<judged_row> &rows) {
  double decided = 0, first = 0;
  for (const auto &row : rows) {
    if (row.form != question_form::pair || row.order.size() != 2) continue;
    const auto verdict = parse_verdict(row.verdict);
    if (verdict == pair_verdict::tie || verdict == pair_verdict::both_bad) continue;
    ++decided;
    first += row.order[0] == (verdict == pair_verdict::first ? 0U : 1U) ? 1 : 0;
  }
  if (decided == 0) return {{"decided", 0}};
  constexpr double z = 1.959963984540054;
  const double share = first / decided, scale = 1 + z * z / decided;
  const double middle = (share + z * z / (2 * decided)) / scale;
  const double half = z / scale * std::sqrt(share * (1 - share) / decided + z * z / (4 * decided * decided));
  return {{"decided", decided}, {"shown_first_won", share}, {"low", middle - half}, {"high", middle + half}};
}

std::string day_of(std::int64_t time_ns) {
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(time_ns)};
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text;
}

}  // namespace

std::vector<judged_row> judged_rows(const feedback_book &book) {
  auto found = book.data().prepare(
      "SELECT j.question, j.annotator, j.verdict, j.answer_order, j.shown_ns, j.answered_ns, q.form, q.gold "
      "FROM "
      "judgements j JOIN questions q ON q.id = j.question WHERE j.withdrawn = 0 ORDER BY j.place");
  std::vector<judged_row> rows;
  while (found.next())
    rows.push_back({found.text(0), found.text(1), found.text(2), order_of(found.text(3)), found.integer(4),
                    found.integer(5), parse_question_form(found.text(6)), found.text(7)});
  return rows;
}

json feedback_figures(const std::vector<judged_row> &rows) {
  std::map<std::string, std::vector<const judged_row *>> by_person;
  std::map<std::string, std::int64_t> days;
  for (const auto &row : rows) {
    by_person[row.annotator].push_back(&row);
    ++days[day_of(row.answered_ns)];
  }
  json figures = {{"annotators", json::object()}, {"agreement", json::object()}};
  for (const auto &[name, own] : by_person) figures["annotators"][name] = annotator_figures(own);
  for (const auto form : {question_form::pair, question_form::label, question_form::score})
    if (auto found = agreement_of(rows, form); !found.is_null())
      figures["agreement"][std::string(to_string(form))] = std::move(found);
  figures["position"] = position_figures(rows);
  figures["days"] = days;
  return figures;
}

}  // namespace slipstream

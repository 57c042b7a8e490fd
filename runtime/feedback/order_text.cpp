#include "runtime/feedback/order_text.hpp"
#include "runtime/feedback/verdict.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <sstream>

#include "models/engine/random.hpp"
#include "models/error.hpp"
#include "models/objectives/words.hpp"

namespace slipstream {
namespace {

constexpr word<question_form> form_words[] = {{"pair", question_form::pair},
                                              {"label", question_form::label},
                                              {"score", question_form::score},
                                              {"ranking", question_form::ranking}};

/// FNV-1a, which makes the same number of the same text on every machine.
std::uint64_t number_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char each : text) hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211ULL;
  return hash;
}

}  // namespace

std::string_view to_string(question_form form) {
  return word_of(form_words, form);
}

question_form parse_question_form(std::string_view name) {
  return find_word(form_words, "form of a question", name);
}

std::string text_of_order(const std::vector<std::size_t> &order) {
  std::string text;
  for (const auto each : order) text += (text.empty() ? "" : " ") + std::to_string(each);
  return text;
}

std::vector<std::size_t> order_of(const std::string &text) {
  std::istringstream in(text);
  std::vector<std::size_t> order;
  for (std::string word; in >> word;) {
    std::size_t place = 0;
    const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), place);
    if (failed != std::errc() || end != word.data() + word.size())
      throw input_error("\"" + text + "\" is no order of answers; write their numbers, as in \"2 0 1\"");
    order.push_back(place);
  }
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != i)
      throw input_error("\"" + text + "\" is no order of answers; each number from 0 on must be there once");
  return order;
}

void check_verdict(const question &asked, const std::string &verdict) {
  switch (asked.form) {
    case question_form::pair:
      parse_verdict(verdict);
      return;
    case question_form::label:
      if (verdict == "good" || verdict == "bad") return;
      throw input_error("the verdict \"" + verdict + "\" is neither \"good\" nor \"bad\"");
    case question_form::ranking:
      if (order_of(verdict).size() == asked.answers.size()) return;
      throw input_error("the verdict \"" + verdict + "\" does not rank all " +
                        std::to_string(asked.answers.size()) + " answers");
    case question_form::score: {
      double score = 0;
      const auto end = verdict.data() + verdict.size();
      const auto [read, failed] = std::from_chars(verdict.data(), end, score);
      if (failed == std::errc() && read == end && std::isfinite(score)) return;
      throw input_error("the verdict \"" + verdict + "\" is not a number");
    }
  }
}

void check_question(const question &asked) {
  const auto fail = [&](const std::string &what) {
    throw input_error("question \"" + asked.id + "\": " + what);
  };
  if (asked.id.empty()) fail("it has no id");
  const auto answers = asked.answers.size();
  if (asked.form == question_form::pair && answers != 2)
    fail("a pair has two answers, not " + std::to_string(answers));
  if (asked.form == question_form::ranking && (answers < 2 || answers > 9))
    fail("a ranking has 2 to 9 answers, not " + std::to_string(answers));
  if ((asked.form == question_form::label || asked.form == question_form::score) && answers != 1)
    fail("one answer is judged, not " + std::to_string(answers));
  if (!(asked.probability > 0 && asked.probability <= 1))
    fail("its probability must be above 0 and at most 1");
  if (asked.people < 1) fail("it must ask one person or more");
  if (!asked.gold.empty()) check_verdict(asked, asked.gold);
}

std::vector<std::size_t> order_for(std::uint64_t seed, const std::string &question,
                                   const std::string &annotator, std::size_t answers) {
  std::vector<std::size_t> order(answers);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto stream = number_of(question + '\n' + annotator);
  for (std::size_t i = answers; i > 1; --i)  // Fisher and Yates
    std::swap(order[i - 1],
              order[static_cast<std::size_t>(uniform(seed, stream, 0, static_cast<std::uint32_t>(i)) *
                                             static_cast<double>(i))]);
  return order;
}

}  // namespace slipstream

#include "runtime/feedback/exchange.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "models/objectives/words.hpp"
#include "runtime/feedback/order_text.hpp"
#include "runtime/feedback/own_lines.hpp"
#include "runtime/feedback/verdict.hpp"

namespace slipstream {
namespace {

using line_json = nlohmann::ordered_json;

constexpr word<exchange_form> exchange_words[] = {{"own", exchange_form::own},
                                                  {"pairs", exchange_form::pairs},
                                                  {"labels", exchange_form::labels},
                                                  {"scores", exchange_form::scores},
                                                  {"rankings", exchange_form::rankings}};

/// Writes lines and counts them.
struct line_writer {
  std::ostream &to;
  exchanged done{};

  void write(const line_json &line) {
    to << line.dump(-1, ' ', false, line_json::error_handler_t::replace) << '\n';
    ++done.lines;
  }
  void leave_out(const std::string &reason) { ++done.left_out[reason]; }
};

void write_pair(line_writer &out, const question &asked, const std::string &verdict, bool ties) {
  const auto said = parse_verdict(verdict);
  const bool tie = said == pair_verdict::tie || said == pair_verdict::both_bad;
  if (tie && !ties) return out.leave_out(said == pair_verdict::tie ? "ties" : "both bad");
  const bool swapped = said == pair_verdict::second;
  line_json line = {{"prompt", asked.prompt},
                    {"chosen", asked.answers[swapped ? 1 : 0].text},
                    {"rejected", asked.answers[swapped ? 0 : 1].text}};
  if (tie) line["tie"] = true;
  out.write(line);
}

/// Of a pair only both bad says what an answer is by itself.
void write_labels(line_writer &out, const question &asked, const std::string &verdict) {
  if (asked.form == question_form::label)
    return out.write(
        {{"prompt", asked.prompt}, {"completion", asked.answers[0].text}, {"label", verdict == "good"}});
  if (parse_verdict(verdict) != pair_verdict::both_bad)
    return out.leave_out("pairs of which not both are bad");
  for (const auto &answer : asked.answers)
    out.write({{"prompt", asked.prompt}, {"completion", answer.text}, {"label", false}});
}

void write_ranking(line_writer &out, const question &asked, const std::string &verdict) {
  auto ranking = line_json::array();
  for (const auto place : order_of(verdict)) ranking.push_back(asked.answers[place].text);
  out.write({{"prompt", asked.prompt}, {"ranking", ranking}});
}

void write_one(line_writer &out, const question &asked, const given_verdict &given, exchange_form form,
               bool ties) {
  if (!asked.gold.empty()) return out.leave_out("questions with known verdicts");
  if (form == exchange_form::pairs && asked.form == question_form::pair)
    return write_pair(out, asked, given.verdict, ties);
  if (form == exchange_form::labels &&
      (asked.form == question_form::label || asked.form == question_form::pair))
    return write_labels(out, asked, given.verdict);
  if (form == exchange_form::scores && asked.form == question_form::score)
    return out.write(
        {{"prompt", asked.prompt}, {"response", asked.answers[0].text}, {"score", std::stod(given.verdict)}});
  if (form == exchange_form::rankings && asked.form == question_form::ranking)
    return write_ranking(out, asked, given.verdict);
  out.leave_out("judgements of the form " + std::string(to_string(asked.form)));
}

}  // namespace

exchange_form parse_exchange_form(std::string_view name) {
  return find_word(exchange_words, "form", name);
}

exchanged export_judgements(const feedback_book &book, exchange_form form, bool ties, std::ostream &to) {
  line_writer out{to};
  if (form == exchange_form::own) {
    write_own_lines(book.data(), [&](const line_json &line) { out.write(line); });
    return out.done;
  }
  const auto questions = book.questions();
  for (const auto &given : book.judgements()) write_one(out, questions.at(given.question), given, form, ties);
  return out.done;
}

}  // namespace slipstream

#include "runtime/feedback/exchange.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/feedback/stats.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;
using test::Contains;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

question asks(const std::string &id, question_form form, std::size_t answers, std::int64_t people = 1) {
  question made;
  made.id = id, made.form = form, made.prompt = "prompt of " + id, made.people = people;
  for (std::size_t i = 0; i < answers; ++i)
    made.answers.push_back(
        {id + char('a' + i), "run", 4, i == 0 ? std::optional<double>(-0.1) : std::nullopt});
  return made;
}

void judge_as(feedback_book &book, const std::string &who, const std::string &question,
              const std::string &verdict, std::int64_t at, std::int64_t seconds = 10) {
  const auto shown = book.next(who, at, 600 * second_ns, 1);
  REQUIRE(shown);
  REQUIRE(shown->asked.id == question);
  given_verdict given;
  given.id = who + question, given.question = question, given.annotator = who, given.verdict = verdict;
  given.comment = "because <b>";
  REQUIRE(book.judge(given, at + seconds * second_ns) == judgement_fate::stored);
}

/// A book with every form and verdict.
void fill(feedback_book &book) {
  book.set_guidelines("# Care", 1);
  book.ask(asks("p", question_form::pair, 2), 1);
  judge_as(book, "ann", "p", "second", 10);
  book.ask(asks("t", question_form::pair, 2), 1);
  judge_as(book, "ann", "t", "tie", 20);
  book.ask(asks("b", question_form::pair, 2), 1);
  judge_as(book, "ann", "b", "both_bad", 30);
  book.ask(asks("l", question_form::label, 1), 1);
  judge_as(book, "ann", "l", "good", 40);
  book.ask(asks("s", question_form::score, 1), 1);
  judge_as(book, "ann", "s", "5", 50);
  book.ask(asks("r", question_form::ranking, 3), 1);
  judge_as(book, "ann", "r", "2 0 1", 60);
  auto gold = asks("g", question_form::label, 1);
  gold.gold = "bad";
  book.ask(gold, 1);
  judge_as(book, "ann", "g", "good", 70);
}

std::string exported(const feedback_book &book, exchange_form form, bool ties = false) {
  std::ostringstream out;
  export_judgements(book, form, ties, out);
  return out.str();
}

}  // namespace

TEST_CASE("a book's own lines go round without loss, and a second reading adds nothing") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  fill(book);
  book.consume("fit-1");
  const auto text = exported(book, exchange_form::own);
  feedback_book copy(folder / "b.db");
  const auto file = folder.write("own.jsonl", text);
  CHECK(import_judgements(copy, file, "x", 0).left_out.empty());
  CHECK(exported(copy, exchange_form::own) == text);
  CHECK(copy.consume("fit-2").empty());  // what a fit has used it has used
  const auto again = import_judgements(copy, file, "x", 0);
  CHECK(again.lines == 0);
  CHECK(again.left_out.at("already there") > 0);
  CHECK(exported(copy, exchange_form::own) == text);
}

TEST_CASE("each form is written as data sets have it, and what has no place there is counted") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  fill(book);
  std::ostringstream out;
  const auto done = export_judgements(book, exchange_form::pairs, false, out);
  CHECK(out.str() == R"({"prompt":"prompt of p","chosen":"pb","rejected":"pa"})"
                     "\n");
  CHECK(done.left_out.at("ties") == 1);
  CHECK(done.left_out.at("both bad") == 1);
  CHECK(done.left_out.at("questions with known verdicts") == 1);
  const auto with_ties = parse_jsonl(exported(book, exchange_form::pairs, true), "f");
  REQUIRE(with_ties.rows.size() == 3);
  CHECK_FALSE(with_ties.rows[0].tie);
  CHECK(with_ties.rows[1].tie);
  CHECK(with_ties.rows[2].tie);  // both bad is a tie to who learns pairs
  const auto labels = parse_jsonl(exported(book, exchange_form::labels), "f");
  REQUIRE(labels.rows.size() == 3);  // and two bad answers to who learns labels
  CHECK(labels.rows[0].score == 0);
  CHECK(labels.rows[1].score == 0);
  CHECK(labels.rows[2].score == 1);
  const auto scores = parse_jsonl(exported(book, exchange_form::scores), "f");
  REQUIRE(scores.rows.size() == 1);
  CHECK(scores.rows[0].score == 5);
  const auto rankings = parse_jsonl(exported(book, exchange_form::rankings), "f");
  REQUIRE(rankings.rows.size() == 1);
  CHECK(rankings.rows[0].ranking == std::vector<std::string>{"rc", "ra", "rb"});
}

TEST_CASE("data sets become answered questions that are written as they were read") {
  const test::scratch folder;
  const std::vector<std::pair<exchange_form, std::string>> sets = {
      {exchange_form::pairs, R"({"prompt":"p","chosen":"a","rejected":"b"})"
                             "\n"
                             R"({"prompt":"q","chosen":"a","rejected":"b","tie":true})"
                             "\n"},
      {exchange_form::labels, R"({"prompt":"p","completion":"a","label":true})"
                              "\n"},
      {exchange_form::scores, R"({"prompt":"p","response":"a","score":2.5})"
                              "\n"},
      {exchange_form::rankings, R"({"prompt":"p","ranking":["b","a","c"]})"
                                "\n"}};
  for (const auto &[form, text] : sets) {
    const auto name = "set" + std::to_string(static_cast<int>(form));
    feedback_book book(folder / (name + ".db"));
    import_judgements(book, folder.write(name + ".jsonl", text), "file", 7);
    CHECK(exported(book, form, true) == text);
    const auto figures = feedback_figures(judged_rows(book));  // of how they were shown nothing is known
    CHECK(figures.at("position").at("decided") == 0);
    CHECK(figures.at("annotators").at("file").at("median_seconds").is_null());
    CHECK(book.totals().closes());
  }
}

TEST_CASE("a file with a fault is refused with its line, and nothing of it is kept") {
  const test::scratch folder;
  feedback_book source(folder / "a.db");
  fill(source);
  auto text = exported(source, exchange_form::own);
  const auto refused = [&](const std::string &given, const std::string &reason) {
    feedback_book book(folder / "b.db");
    CHECK_THROWS_WITH(import_judgements(book, folder.write("bad.jsonl", given), "x", 0), Contains(reason));
    CHECK(book.totals().asked == 0);
    CHECK(book.guideline_version() == 0);
  };
  refused(text + "{\"table\":\"people\"}\n", "no table");
  refused(text + "{\"table\":\"guidelines\",\"version\":\"x\",\"text\":\"\",\"since_ns\":1}\n",
          "\"version\" holds");
  refused(text + "{\"table\":\"guidelines\"}\n", "missing");
  refused(text + "nonsense\n", "bad.jsonl:" + std::to_string(std::count(text.begin(), text.end(), '\n') + 1));
  const auto at = text.find("\"verdict\":\"second\"");
  REQUIRE(at != std::string::npos);
  refused(std::string(text).replace(at, 18, "\"verdict\":\"better\""), "unknown verdict");
  refused("{\"prompt\":\"p\"}\n", "nobody judged");
}

TEST_CASE("stats tell pace, care, agreement and position, by those judgements that hold") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  for (int i = 0; i < 40; ++i) {
    const auto id = "q" + std::to_string(100 + i);
    book.ask(asks(id, question_form::pair, 2, 2), 1);
    const std::int64_t at = 1000 + 100 * second_ns * i;
    judge_as(book, "ann", id, i % 4 == 0 ? "second" : "first", at, 10);
    judge_as(book, "bob", id, i % 4 == 0 ? "second" : i % 10 == 1 ? "tie" : "first", at, 20);
  }
  auto gold = asks("gold", question_form::pair, 2);
  gold.gold = "first";
  book.ask(gold, 1);
  judge_as(book, "ann", "gold", "second", 8000 * second_ns);
  const auto figures = feedback_figures(judged_rows(book));
  const auto &ann = figures.at("annotators").at("ann");
  CHECK(ann.at("judgements") == 41);
  CHECK(ann.at("median_seconds") == 10);
  CHECK(ann.at("per_hour") == 360);
  CHECK(ann.at("known_met") == 0);
  CHECK(figures.at("annotators").at("bob").at("median_seconds") == 20);
  CHECK(figures.at("annotators").at("bob").at("known_met").is_null());
  const auto &agreement = figures.at("agreement").at("pair");
  CHECK(agreement.at("questions") == 40);
  CHECK(agreement.at("alpha_nominal").get<double>() > 0.7);
  CHECK(agreement.at("alpha_nominal").get<double>() < 1);
  REQUIRE(agreement.at("kappa").size() == 1);
  CHECK(figures.at("position").at("decided").get<double>() == 77);
  CHECK(figures.at("position").at("low").get<double>() <
        figures.at("position").at("shown_first_won").get<double>());
  CHECK(figures.at("days").at("1970-01-01") == 81);
  book.withdraw("bob");
  CHECK_FALSE(feedback_figures(judged_rows(book)).at("annotators").contains("bob"));
}

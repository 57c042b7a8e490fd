#include "runtime/feedback/book.hpp"

#include <array>
#include <fstream>
#include <set>

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

constexpr std::int64_t minute = 60'000'000'000;

question pair_question(const std::string &id, std::int64_t people = 1, std::int64_t deadline = 0) {
  question made;
  made.id = id, made.prompt = "2+2=", made.people = people, made.deadline_ns = deadline;
  made.answers = {{"4", "run-a", 3, -1.5}, {"5", "run-b", 2, {}}};
  return made;
}

given_verdict by(const std::string &who, const std::string &question, const std::string &verdict,
                 const std::string &id = "") {
  given_verdict made;
  made.id = id.empty() ? who + "/" + question : id;
  made.question = question, made.annotator = who, made.verdict = verdict;
  return made;
}

/// What a person would do: takes the next question and judges it.
std::string judge_next(feedback_book &book, const std::string &who, const std::string &verdict,
                       std::int64_t now) {
  const auto shown = book.next(who, now, minute, 1);
  if (!shown) return {};
  CHECK(book.judge(by(who, shown->asked.id, verdict), now) == judgement_fate::stored);
  return shown->asked.id;
}

}  // namespace

TEST_CASE("what was asked and judged is there when the book is opened again, and its sums close") {
  const test::scratch folder;
  {
    feedback_book book(folder / "a.db");
    CHECK(book.set_guidelines("# Care", 1) == 1);
    CHECK(book.ask(pair_question("q1"), 5));
    CHECK_FALSE(book.ask(pair_question("q1"), 6));
    CHECK(book.ask(pair_question("q2"), 7));
    CHECK(judge_next(book, "ann", "first", 10) == "q1");
  }
  feedback_book book(folder / "a.db");
  const auto totals = book.totals();
  CHECK(totals.closes());
  CHECK(totals.asked == 2);
  CHECK(totals.open == 1);
  CHECK(totals.answered == 1);
  const auto all = book.judgements();
  REQUIRE(all.size() == 1);
  CHECK(all[0].verdict == "first");
  CHECK(all[0].guideline == 1);
  CHECK(all[0].shown_ns == 10);
  CHECK(book.guidelines(1) == "# Care");
  const auto asked = book.questions().at("q1");
  CHECK(asked.answers[0].origin == "run-a");
  CHECK(asked.answers[0].version == 3);
  CHECK(asked.answers[0].logprob == -1.5);
  CHECK_FALSE(asked.answers[1].logprob);
}

TEST_CASE("two people never hold one question unless it asks two, and a refresh shows the one that is held") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1"), 0), book.ask(pair_question("q2", 2), 0);
  const auto first = book.next("ann", 10, minute, 1);
  CHECK(first->asked.id == "q1");
  CHECK(book.next("ann", 11, minute, 1)->asked.id == "q1");
  CHECK(book.next("ann", 11, minute, 1)->order == first->order);
  CHECK(book.next("bob", 12, minute, 1)->asked.id == "q2");
  CHECK_FALSE(book.next("carol", 12, minute, 1)->asked.id == "q1");
  CHECK_FALSE(book.next("dave", 12, minute, 1));  // q2 asks two, whom it has
  // who lets it go loses it to the next
  CHECK(book.next("dave", 11 + minute, minute, 1)->asked.id == "q1");
  CHECK(book.judge(by("ann", "q1", "first"), 12 + minute) == judgement_fate::not_held);
  CHECK(book.judge(by("dave", "q1", "second"), 12 + minute) == judgement_fate::stored);
  CHECK(book.totals().closes());
}

TEST_CASE("a late answer to a question that nobody else has taken counts") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1"), 0);
  book.next("ann", 0, minute, 1);
  CHECK(book.judge(by("ann", "q1", "tie"), 5 * minute) == judgement_fate::stored);
}

TEST_CASE("a verdict that is sent twice, by a double press or from two tabs, is stored once") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1", 2), 0);
  book.next("ann", 0, minute, 1);
  CHECK(book.judge(by("ann", "q1", "first", "x"), 1) == judgement_fate::stored);
  CHECK(book.judge(by("ann", "q1", "first", "x"), 2) == judgement_fate::repeated);
  CHECK(book.judge(by("ann", "q1", "second", "y"), 2) == judgement_fate::repeated);
  CHECK_FALSE(book.next("ann", 3, minute, 1));
  CHECK(book.judgements().size() == 1);
  CHECK(book.judge(by("ann", "none", "first"), 2) == judgement_fate::unknown);
  CHECK(book.judge(by("bob", "q1", "first"), 2) == judgement_fate::not_held);
}

TEST_CASE("after its deadline a question is asked no more, and its books say so") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1", 1, 100), 0), book.ask(pair_question("q2", 2, 100), 0);
  CHECK(book.next("ann", 10, minute, 1)->asked.id == "q1");
  CHECK(judge_next(book, "bob", "first", 20) == "q2");
  CHECK(book.judge(by("ann", "q1", "first"), 100) == judgement_fate::expired);
  CHECK(book.expire(100) == 2);
  CHECK_FALSE(book.next("carol", 101, minute, 1));
  const auto totals = book.totals();
  CHECK(totals.expired == 1);
  CHECK(totals.answered == 1);  // one of two is what there is
  CHECK(totals.closes());
}

TEST_CASE("the newest verdict can be taken back until a fit has used it") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1"), 0);
  judge_next(book, "ann", "first", 1);
  CHECK(book.undo("ann", 2, minute) == "q1");
  CHECK(book.totals().open == 1);
  CHECK_FALSE(book.next("bob", 3, minute, 1));  // ann holds it again
  CHECK(judge_next(book, "ann", "second", 4) == "q1");
  const auto used = book.consume("fit-1");
  REQUIRE(used.size() == 1);
  CHECK(used[0].verdict == "second");
  CHECK_FALSE(book.undo("ann", 5, minute));
  CHECK(book.consume("fit-2").empty());
  CHECK(book.totals().consumed == 1);
  CHECK(book.totals().closes());
}

TEST_CASE("a person who is withdrawn or deleted leaves the fits that used their judgements named") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1"), 0), book.ask(pair_question("q2"), 0);
  judge_next(book, "ann", "first", 1);
  book.consume("fit-1");
  judge_next(book, "ann", "tie", 2);
  CHECK(book.withdraw("ann") == std::vector<std::string>{"fit-1"});
  CHECK(book.judgements().empty());
  CHECK(book.totals().open == 1);
  CHECK(judge_next(book, "bob", "first", 3) == "q2");
  CHECK(book.erase("ann") == std::vector<std::string>{"fit-1"});
  CHECK(book.erase("ann").empty());
  std::ifstream file(folder / "a.db", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  CHECK(bytes.find("ann/q1") == std::string::npos);
  CHECK(bytes.find("bob/q2") != std::string::npos);
}

TEST_CASE("questions with known verdicts watch care and are no training data") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  auto gold = pair_question("g");
  gold.gold = "first";
  book.ask(gold, 0);
  judge_next(book, "ann", "second", 1);
  CHECK(book.consume("fit").empty());
  CHECK(book.judgements().size() == 1);
}

TEST_CASE("answers stand in both orders about equally often, and a skipped question does not come back") {
  int swapped = 0;
  for (int i = 0; i < 1000; ++i) swapped += order_for(9, "q" + std::to_string(i), "ann", 2)[0] == 1 ? 1 : 0;
  CHECK(swapped > 430);
  CHECK(swapped < 570);
  std::set<std::vector<std::size_t>> seen;
  for (int i = 0; i < 200; ++i) seen.insert(order_for(9, std::to_string(i), "ann", 3));
  CHECK(seen.size() == 6);
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  book.ask(pair_question("q1"), 0);
  book.next("ann", 0, minute, 1);
  book.skip("q1", "ann");
  CHECK_FALSE(book.next("ann", 1, minute, 1));
  CHECK(book.next("bob", 1, minute, 1)->asked.id == "q1");
}

TEST_CASE("what is no question, no verdict or no book is refused with its reason") {
  const test::scratch folder;
  feedback_book book(folder / "a.db");
  auto bad = pair_question("q");
  bad.answers.pop_back();
  CHECK_THROWS_WITH(book.ask(bad, 0), Contains("a pair has two answers"));
  bad = pair_question("q"), bad.probability = 0;
  CHECK_THROWS_WITH(book.ask(bad, 0), Contains("probability"));
  CHECK(book.totals().asked == 0);
  book.ask(pair_question("q"), 0);
  book.next("ann", 0, minute, 1);
  CHECK_THROWS_AS(book.judge(by("ann", "q", "better"), 1), input_error);
  CHECK(book.judgements().empty());
  std::ofstream(folder / "text.db") << std::string(5000, 'x');
  CHECK_THROWS_AS(feedback_book(folder / "text.db"), input_error);
  database(folder / "other.db").execute("CREATE TABLE t (x)");
  CHECK_THROWS_WITH(feedback_book(folder / "other.db"), Contains("another program"));
  database(folder / "a.db").execute("PRAGMA user_version = 2");
  CHECK_THROWS_WITH(feedback_book(folder / "a.db"), Contains("newer"));
}

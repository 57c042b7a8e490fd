#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/feedback/database.hpp"

namespace slipstream {

/// One answer that people judge, and how it came to be.
struct judged_answer {
  std::string text;
  std::string origin{};             ///< a run or model; never shown to who judges
  std::int64_t version = -1;        ///< of the weights that made it; -1: not known
  std::optional<double> logprob{};  ///< of the whole answer under these weights
};

/// What is asked of the answers.
enum class question_form { pair, label, score, ranking };
/// "pair", "label", "score" or "ranking".
std::string_view to_string(question_form form);
question_form parse_question_form(std::string_view name);

/// One question to people. Its verdict is a text: of a pair a pair_verdict's word, of a label "good" or
/// "bad", of a score a number, of a ranking the answers' places from the best to the worst, as in "2 0 1".
struct question {
  std::string id;  ///< unique for ever
  question_form form = question_form::pair;
  std::string prompt;
  std::vector<judged_answer> answers;
  std::int64_t deadline_ns = 0;  ///< after which it is asked no more; 0: never
  double probability = 1;        ///< with which the rule that chooses questions chose this one
  std::int64_t people = 1;       ///< how many are asked: more than one for agreement
  std::string gold{};            ///< the known verdict of a question that watches care; empty: there is none
};

/// A question as one person gets it.
struct shown_question {
  question asked;
  std::vector<std::size_t> order;  ///< order[i]: which answer stands in place i
};

/// The verdict of one person. Its places count the answers in the order of the question, whatever order
/// they were shown in.
struct given_verdict {
  std::string id;  ///< made by who sends it, so that a repetition is known
  std::string question, annotator, verdict;
  std::vector<std::size_t> order;  ///< empty where it is not known, as of a data set
  std::int64_t shown_ns = 0, answered_ns = 0, guideline = 0;
  std::string comment{};
  bool flagged = false;
};

/// What became of a verdict that was sent: a repetition of one that is stored changes nothing.
enum class judgement_fate { stored, repeated, not_held, expired, unknown };

/// Where all questions are: asked = open + answered + expired + consumed. `judgements` counts those that
/// hold.
struct book_totals {
  std::int64_t asked = 0, open = 0, answered = 0, expired = 0, consumed = 0, judgements = 0;
  bool closes() const { return asked == open + answered + expired + consumed; }
};

/// The book of what people are asked and what they answered, in an SQLite file. What a call returns is on the
/// disk. Times are in nanoseconds of one clock of the caller's, so that no other machine's clock matters.
class feedback_book {
 public:
  /// Opens it and makes it where it is absent; throws input_error for a file of another program or a newer
  /// version.
  explicit feedback_book(const std::filesystem::path &file);

  /// False for an id that was asked before, which changes nothing.
  bool ask(const question &asked, std::int64_t now_ns);
  /// The guidelines that judgements are given under from now on; their version, from 1.
  std::int64_t set_guidelines(const std::string &markdown, std::int64_t now_ns);
  std::int64_t guideline_version() const;
  std::string guidelines(std::int64_t version) const;

  /// The question that this person holds, or the next one, held for `hold_ns` in an order drawn from
  /// (seed, question, person). None: there is nothing to judge for this person.
  std::optional<shown_question> next(const std::string &annotator, std::int64_t now_ns, std::int64_t hold_ns,
                                     std::uint64_t seed);
  /// Gives a held question back, never to be shown to this person again.
  void skip(const std::string &question, const std::string &annotator);
  judgement_fate judge(const given_verdict &given, std::int64_t now_ns);
  /// Takes this person's newest verdict back, unless a fit used it; its question is held again. Which it
  /// was.
  std::optional<std::string> undo(const std::string &annotator, std::int64_t now_ns, std::int64_t hold_ns);

  /// Ends the questions whose deadline has passed; how many.
  std::int64_t expire(std::int64_t now_ns);
  /// All judgements of answered questions that no fit used yet, which `fit` uses from now on.
  std::vector<given_verdict> consume(const std::string &fit);
  /// Leaves a person's judgements out from now on; the fits that used some of them.
  std::vector<std::string> withdraw(const std::string &annotator);
  /// Deletes all that is stored of a person; the fits that used some of it.
  std::vector<std::string> erase(const std::string &annotator);

  book_totals totals() const;
  /// Judgements that hold, in the order in which they came.
  std::vector<given_verdict> judgements() const;
  std::map<std::string, question> questions() const;
  /// Throws input_error naming a question or verdict that is not as it must be, of those that came from a
  /// file.
  void verify() const;
  /// The file itself, for those that count or copy what is in it.
  database &data() { return data_; }
  const database &data() const { return data_; }

 private:
  void migrate(const std::filesystem::path &file);
  std::optional<std::string> held_by(const std::string &annotator, std::int64_t now_ns) const;
  std::optional<std::string> free_for(const std::string &annotator, std::int64_t now_ns) const;
  question read_question(const std::string &id) const;
  void settle(const std::string &question);
  std::vector<std::string> fits_of(const std::string &annotator) const;

  database data_;
};

/// The order in which a person sees the answers: drawn evenly from (seed, question, person).
std::vector<std::size_t> order_for(std::uint64_t seed, const std::string &question,
                                   const std::string &annotator, std::size_t answers);

}  // namespace slipstream

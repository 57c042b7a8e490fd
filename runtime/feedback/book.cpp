#include "runtime/feedback/book.hpp"

#include "models/error.hpp"
#include "runtime/feedback/order_text.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t program = 0x536c4662;  // "SlFb", which no other program's files carry
constexpr std::int64_t schema = 1;

constexpr const char *tables = R"(
CREATE TABLE guidelines (version INTEGER PRIMARY KEY, text TEXT NOT NULL, since_ns INTEGER NOT NULL);
CREATE TABLE questions (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, form TEXT NOT NULL, prompt TEXT NOT NULL,
  asked_ns INTEGER NOT NULL, deadline_ns INTEGER NOT NULL, probability REAL NOT NULL, people INTEGER NOT NULL,
  gold TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('open','answered','expired','consumed')));
CREATE INDEX questions_by_state ON questions (state, place);
CREATE TABLE answers (question TEXT NOT NULL REFERENCES questions (id), place INTEGER NOT NULL, text TEXT NOT NULL,
  origin TEXT NOT NULL, version INTEGER NOT NULL, logprob REAL, PRIMARY KEY (question, place)) WITHOUT ROWID;
CREATE TABLE holds (question TEXT NOT NULL REFERENCES questions (id), annotator TEXT NOT NULL, answer_order TEXT NOT NULL,
  shown_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL, skipped INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (question, annotator)) WITHOUT ROWID;
CREATE INDEX holds_by_annotator ON holds (annotator, skipped, until_ns);
CREATE TABLE judgements (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  question TEXT NOT NULL REFERENCES questions (id), annotator TEXT NOT NULL, verdict TEXT NOT NULL,
  answer_order TEXT NOT NULL, shown_ns INTEGER NOT NULL, answered_ns INTEGER NOT NULL, guideline INTEGER NOT NULL,
  comment TEXT NOT NULL, flagged INTEGER NOT NULL, withdrawn INTEGER NOT NULL DEFAULT 0, fit TEXT NOT NULL DEFAULT '',
  UNIQUE (question, annotator));
CREATE INDEX judgements_by_annotator ON judgements (annotator, place);
CREATE INDEX judgements_unused ON judgements (place) WHERE fit = '' AND withdrawn = 0;
)";

constexpr std::string_view judgement_columns =
    "id, question, annotator, verdict, answer_order, shown_ns, answered_ns, guideline, comment, flagged";

given_verdict read_judgement(const database_statement &row) {
  given_verdict made;
  made.id = row.text(0), made.question = row.text(1);
  made.annotator = row.text(2), made.verdict = row.text(3);
  made.order = order_of(row.text(4));
  made.shown_ns = row.integer(5), made.answered_ns = row.integer(6), made.guideline = row.integer(7);
  made.comment = row.text(8), made.flagged = row.integer(9) != 0;
  return made;
}

}  // namespace

feedback_book::feedback_book(const std::filesystem::path &file) : data_(file) {
  migrate(file);
}

void feedback_book::migrate(const std::filesystem::path &file) {
  database::transaction all(data_);
  const auto version = data_.integer("PRAGMA user_version"), owner = data_.integer("PRAGMA application_id");
  const auto things = data_.integer("SELECT count(*) FROM sqlite_master");
  if (version > schema && owner == program)
    throw input_error(file.string() + ": error: its judgements are of version " + std::to_string(version) +
                      ", this program reads up to " + std::to_string(schema) + "; use a newer one");
  if (things > 0 && owner != program)
    throw input_error(file.string() +
                      ": error: another program's database, not a file of judgements; name another");
  if (things == 0) {
    data_.execute(tables);
    data_.execute("PRAGMA application_id = " + std::to_string(program));
    data_.execute("PRAGMA user_version = " + std::to_string(schema));
  }
  all.commit();
}

bool feedback_book::ask(const question &asked, std::int64_t now_ns) {
  check_question(asked);
  database::transaction all(data_);
  auto insert = data_.prepare(
      "INSERT OR IGNORE INTO questions (id, form, prompt, asked_ns, deadline_ns, probability, people, gold, "
      "state) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'open')");
  insert.bind(1, asked.id).bind(2, to_string(asked.form)).bind(3, asked.prompt).bind(4, now_ns);
  insert.bind(5, asked.deadline_ns).bind(6, asked.probability).bind(7, asked.people).bind(8, asked.gold);
  if (insert.run() == 0) return false;
  auto answer = data_.prepare("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < asked.answers.size(); ++i) {
    const auto &each = asked.answers[i];
    answer.bind(1, asked.id).bind(2, static_cast<std::int64_t>(i)).bind(3, each.text).bind(4, each.origin);
    answer.bind(5, each.version).bind(6, each.logprob).run();
  }
  all.commit();
  return true;
}

std::int64_t feedback_book::set_guidelines(const std::string &markdown, std::int64_t now_ns) {
  auto insert =
      data_.prepare("INSERT INTO guidelines SELECT coalesce(max(version), 0) + 1, ?, ? FROM guidelines");
  insert.bind(1, markdown).bind(2, now_ns).run();
  return guideline_version();
}

std::int64_t feedback_book::guideline_version() const {
  return data_.integer("SELECT coalesce(max(version), 0) FROM guidelines");
}

std::string feedback_book::guidelines(std::int64_t version) const {
  auto found = data_.prepare("SELECT text FROM guidelines WHERE version = ?");
  found.bind(1, version);
  return found.next() ? found.text(0) : std::string();
}

std::optional<std::string> feedback_book::held_by(const std::string &annotator, std::int64_t now_ns) const {
  auto held = data_.prepare(
      "SELECT h.question FROM holds h JOIN questions q ON q.id = h.question WHERE h.annotator = ? AND "
      "h.skipped = 0 "
      "AND h.until_ns > ?2 AND q.state = 'open' AND (q.deadline_ns = 0 OR q.deadline_ns > ?2) ORDER BY "
      "h.shown_ns");
  held.bind(1, annotator).bind(2, now_ns);
  return held.next() ? std::optional(held.text(0)) : std::nullopt;
}

std::optional<std::string> feedback_book::free_for(const std::string &annotator, std::int64_t now_ns) const {
  auto free = data_.prepare(
      "SELECT q.id FROM questions q WHERE q.state = 'open' AND (q.deadline_ns = 0 OR q.deadline_ns > ?2) "
      "AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.question = q.id AND h.annotator = ?1 AND h.skipped = 1) "
      "AND NOT EXISTS (SELECT 1 FROM judgements j WHERE j.question = q.id AND j.annotator = ?1) "
      "AND (SELECT count(*) FROM holds h WHERE h.question = q.id AND h.annotator <> ?1 AND h.skipped = 0 "
      "AND h.until_ns > ?2) + (SELECT count(*) FROM judgements j WHERE j.question = q.id AND j.withdrawn = "
      "0) "
      "< q.people ORDER BY q.place LIMIT 1");
  free.bind(1, annotator).bind(2, now_ns);
  return free.next() ? std::optional(free.text(0)) : std::nullopt;
}

question feedback_book::read_question(const std::string &id) const {
  auto found = data_.prepare(
      "SELECT form, prompt, deadline_ns, probability, people, gold FROM questions WHERE id = ?");
  found.bind(1, id);
  if (!found.next()) throw run_error("there is no question \"" + id + "\"");
  question made{id, parse_question_form(found.text(0)), found.text(1), {}};
  made.deadline_ns = found.integer(2), made.probability = found.number(3);
  made.people = found.integer(4), made.gold = found.text(5);
  auto answers =
      data_.prepare("SELECT text, origin, version, logprob FROM answers WHERE question = ? ORDER BY place");
  answers.bind(1, id);
  while (answers.next())
    made.answers.push_back({answers.text(0), answers.text(1), answers.integer(2),
                            answers.is_null(3) ? std::nullopt : std::optional(answers.number(3))});
  return made;
}

std::optional<shown_question> feedback_book::next(const std::string &annotator, std::int64_t now_ns,
                                                  std::int64_t hold_ns, std::uint64_t seed) {
  database::transaction all(data_);
  auto id = held_by(annotator, now_ns);
  const bool again = id.has_value();
  if (!again) id = free_for(annotator, now_ns);
  if (!id) return {};
  shown_question shown{read_question(*id), {}};
  shown.order = order_for(seed, *id, annotator, shown.asked.answers.size());
  auto hold = data_.prepare(again ? "UPDATE holds SET until_ns = ?5 WHERE question = ?1 AND annotator = ?2"
                                  : "INSERT OR REPLACE INTO holds VALUES (?1, ?2, ?3, ?4, ?5, 0)");
  hold.bind(1, *id).bind(2, annotator).bind(5, now_ns + hold_ns);
  if (!again) hold.bind(3, text_of_order(shown.order)).bind(4, now_ns);
  hold.run();
  all.commit();
  return shown;
}

void feedback_book::skip(const std::string &question, const std::string &annotator) {
  auto skipped = data_.prepare("UPDATE holds SET skipped = 1 WHERE question = ? AND annotator = ?");
  skipped.bind(1, question).bind(2, annotator).run();
}

judgement_fate feedback_book::judge(const given_verdict &given, std::int64_t now_ns) {
  database::transaction all(data_);
  auto known = data_.prepare("SELECT 1 FROM judgements WHERE id = ?1 OR (question = ?2 AND annotator = ?3)");
  known.bind(1, given.id).bind(2, given.question).bind(3, given.annotator);
  if (known.next()) return judgement_fate::repeated;
  auto about = data_.prepare("SELECT state, deadline_ns FROM questions WHERE id = ?");
  about.bind(1, given.question);
  if (!about.next()) return judgement_fate::unknown;
  const auto state = about.text(0);
  const auto deadline = about.integer(1);
  if (state == "expired" || (deadline != 0 && deadline <= now_ns)) return judgement_fate::expired;
  auto held = data_.prepare(
      "SELECT answer_order, shown_ns, until_ns FROM holds WHERE question = ? AND annotator = ? AND skipped = "
      "0");
  held.bind(1, given.question).bind(2, given.annotator);
  if (state != "open" || !held.next()) return judgement_fate::not_held;
  if (held.integer(2) <= now_ns) {  // it may have gone to somebody else since
    auto room = data_.prepare(
        "SELECT (SELECT count(*) FROM holds h WHERE h.question = ?1 AND h.annotator <> ?2 AND h.skipped = 0 "
        "AND "
        "h.until_ns > ?3) + (SELECT count(*) FROM judgements j WHERE j.question = ?1 AND j.withdrawn = 0) < "
        "people "
        "FROM questions WHERE id = ?1");
    room.bind(1, given.question).bind(2, given.annotator).bind(3, now_ns);
    if (!room.next() || room.integer(0) == 0) return judgement_fate::not_held;
  }
  check_verdict(read_question(given.question), given.verdict);
  auto insert = data_.prepare(
      "INSERT INTO judgements (id, question, annotator, verdict, answer_order, shown_ns, answered_ns, "
      "guideline, "
      "comment, flagged) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, given.id).bind(2, given.question).bind(3, given.annotator).bind(4, given.verdict);
  insert.bind(5, held.text(0)).bind(6, held.integer(1)).bind(7, now_ns).bind(8, guideline_version());
  insert.bind(9, given.comment).bind(10, std::int64_t{given.flagged ? 1 : 0}).run();
  auto released = data_.prepare("DELETE FROM holds WHERE question = ? AND annotator = ?");
  released.bind(1, given.question).bind(2, given.annotator).run();
  settle(given.question);
  all.commit();
  return judgement_fate::stored;
}

/// A question is answered once as many people as it asks have judged it, and open again when one is taken
/// back.
void feedback_book::settle(const std::string &question) {
  auto settled = data_.prepare(
      "UPDATE questions SET state = CASE WHEN (SELECT count(*) FROM judgements j WHERE j.question = ?1 AND "
      "j.withdrawn = 0) >= people THEN 'answered' ELSE 'open' END WHERE id = ?1 AND state IN ('open', "
      "'answered')");
  settled.bind(1, question).run();
}

std::optional<std::string> feedback_book::undo(const std::string &annotator, std::int64_t now_ns,
                                               std::int64_t hold_ns) {
  database::transaction all(data_);
  auto newest = data_.prepare(
      "SELECT j.id, j.question, j.answer_order, j.shown_ns, j.fit, q.state FROM judgements j JOIN questions "
      "q ON q.id "
      "= j.question WHERE j.annotator = ? AND j.withdrawn = 0 ORDER BY j.place DESC LIMIT 1");
  newest.bind(1, annotator);
  if (!newest.next() || !newest.text(4).empty() || newest.text(5) == "expired") return {};
  const auto question = newest.text(1);
  auto removed = data_.prepare("DELETE FROM judgements WHERE id = ?");
  removed.bind(1, newest.text(0)).run();
  auto hold = data_.prepare("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, 0)");
  hold.bind(1, question).bind(2, annotator).bind(3, newest.text(2)).bind(4, newest.integer(3));
  hold.bind(5, now_ns + hold_ns).run();
  settle(question);
  all.commit();
  return question;
}

std::int64_t feedback_book::expire(std::int64_t now_ns) {
  database::transaction all(data_);
  constexpr std::string_view late =
      "UPDATE questions SET state = CASE WHEN EXISTS (SELECT 1 FROM judgements j WHERE j.question = "
      "questions.id AND "
      "withdrawn = "
      "0) THEN 'answered' ELSE 'expired' END WHERE state = 'open' AND deadline_ns <> 0 AND deadline_ns <= ?";
  auto statement = data_.prepare(late);
  const auto ended = statement.bind(1, now_ns).run();
  all.commit();
  return ended;
}

std::vector<given_verdict> feedback_book::consume(const std::string &fit) {
  if (fit.empty()) throw input_error("a fit that uses judgements needs a name");
  database::transaction all(data_);
  auto found = data_.prepare(
      "SELECT j.id, j.question, j.annotator, j.verdict, j.answer_order, j.shown_ns, j.answered_ns, "
      "j.guideline, "
      "j.comment, j.flagged FROM judgements j JOIN questions q ON q.id = j.question WHERE j.fit = '' AND "
      "j.withdrawn "
      "= 0 AND q.state = 'answered' AND q.gold = '' ORDER BY j.place");
  std::vector<given_verdict> used;
  while (found.next()) used.push_back(read_judgement(found));
  auto marked = data_.prepare("UPDATE judgements SET fit = ? WHERE id = ?");
  auto closed = data_.prepare("UPDATE questions SET state = 'consumed' WHERE id = ?");
  for (const auto &each : used) {
    marked.bind(1, fit).bind(2, each.id).run();
    closed.bind(1, each.question).run();
  }
  all.commit();
  return used;
}

std::vector<std::string> feedback_book::fits_of(const std::string &annotator) const {
  auto found =
      data_.prepare("SELECT DISTINCT fit FROM judgements WHERE annotator = ? AND fit <> '' ORDER BY fit");
  found.bind(1, annotator);
  std::vector<std::string> fits;
  while (found.next()) fits.push_back(found.text(0));
  return fits;
}

std::vector<std::string> feedback_book::withdraw(const std::string &annotator) {
  database::transaction all(data_);
  const auto fits = fits_of(annotator);
  auto withdrawn = data_.prepare("UPDATE judgements SET withdrawn = 1 WHERE annotator = ?");
  withdrawn.bind(1, annotator).run();
  auto touched = data_.prepare("SELECT question FROM judgements WHERE annotator = ?");
  touched.bind(1, annotator);
  std::vector<std::string> questions;
  while (touched.next()) questions.push_back(touched.text(0));
  for (const auto &each : questions) settle(each);
  all.commit();
  return fits;
}

std::vector<std::string> feedback_book::erase(const std::string &annotator) {
  auto fits = withdraw(annotator);
  database::transaction all(data_);
  for (const char *table : {"judgements", "holds"}) {
    auto removed = data_.prepare("DELETE FROM " + std::string(table) + " WHERE annotator = ?");
    removed.bind(1, annotator).run();
  }
  all.commit();
  data_.execute("PRAGMA wal_checkpoint(TRUNCATE)");  // nor does the log keep it
  return fits;
}

book_totals feedback_book::totals() const {
  const auto in = [&](const char *state) {
    auto count = data_.prepare("SELECT count(*) FROM questions WHERE state = ?");
    count.bind(1, std::string_view(state)).next();
    return count.integer(0);
  };
  return {data_.integer("SELECT count(*) FROM questions"),
          in("open"),
          in("answered"),
          in("expired"),
          in("consumed"),
          data_.integer("SELECT count(*) FROM judgements WHERE withdrawn = 0")};
}

std::vector<given_verdict> feedback_book::judgements() const {
  auto found = data_.prepare("SELECT " + std::string(judgement_columns) +
                             " FROM judgements WHERE withdrawn = 0 ORDER BY place");
  std::vector<given_verdict> all;
  while (found.next()) all.push_back(read_judgement(found));
  return all;
}

std::map<std::string, question> feedback_book::questions() const {
  auto ids = data_.prepare("SELECT id FROM questions ORDER BY place");
  std::map<std::string, question> all;
  while (ids.next()) all.emplace(ids.text(0), read_question(ids.text(0)));
  return all;
}

void feedback_book::verify() const {
  const auto all = questions();
  for (const auto &[id, asked] : all) check_question(asked);
  for (const auto &given : judgements()) {
    const auto &asked = all.at(given.question);
    check_verdict(asked, given.verdict);
    if (!given.order.empty() && given.order.size() != asked.answers.size())
      throw input_error("verdict \"" + given.id + "\" was shown other answers than its question has");
  }
}

}  // namespace slipstream

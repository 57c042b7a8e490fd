#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/feedback/exchange.hpp"
#include "runtime/feedback/order_text.hpp"
#include "runtime/feedback/own_lines.hpp"

namespace slipstream {
namespace {

using line_json = nlohmann::ordered_json;

/// A row of a data set as a question with its verdict; nothing where it is none that people judge.
struct judged_line {
  question asked;
  std::string verdict;
};

std::string score_text(double score) {
  return line_json(score).dump();
}

judged_line judged_pair(const example &row) {
  judged_line made;
  made.asked.form = question_form::pair;
  made.asked.answers = {{row.response}, {row.rejected}};
  made.verdict = row.tie ? "tie" : "first";
  return made;
}

judged_line judged_rating(const example &row, bool label) {
  judged_line made;
  made.asked.form = label ? question_form::label : question_form::score;
  made.asked.answers = {{row.response}};
  made.verdict = label ? (row.score > 0.5 ? "good" : "bad") : score_text(row.score);
  return made;
}

judged_line judged_ranking(const example &row) {
  judged_line made;
  made.asked.form = question_form::ranking;
  std::vector<std::size_t> order;
  for (const auto &answer : row.ranking) {
    made.asked.answers.push_back({answer});
    order.push_back(order.size());
  }
  made.verdict = text_of_order(order);
  return made;
}

/// Puts the row in as a question that its annotator has answered.
bool put_in(feedback_book &book, const judged_line &line, const std::string &id, const std::string &annotator,
            std::int64_t now_ns) {
  const auto &asked = line.asked;
  const bool fresh = read_own_line(book.data(), {{"table", "questions"},
                                                 {"id", id},
                                                 {"form", to_string(asked.form)},
                                                 {"prompt", asked.prompt},
                                                 {"asked_ns", now_ns},
                                                 {"deadline_ns", 0},
                                                 {"probability", 1.0},
                                                 {"people", 1},
                                                 {"gold", ""},
                                                 {"state", "answered"}});
  if (!fresh) return false;
  for (std::size_t i = 0; i < asked.answers.size(); ++i)
    read_own_line(book.data(), {{"table", "answers"},
                                {"question", id},
                                {"place", i},
                                {"text", asked.answers[i].text},
                                {"origin", ""},
                                {"version", -1},
                                {"logprob", nullptr}});
  return read_own_line(book.data(), {{"table", "judgements"},
                                     {"id", id + "/" + annotator},
                                     {"question", id},
                                     {"annotator", annotator},
                                     {"verdict", line.verdict},
                                     {"answer_order", ""},
                                     {"shown_ns", now_ns},
                                     {"answered_ns", now_ns},
                                     {"guideline", 0},
                                     {"comment", ""},
                                     {"flagged", 0},
                                     {"withdrawn", 0},
                                     {"fit", ""}});
}

exchanged import_data(feedback_book &book, const std::filesystem::path &file, const std::string &annotator,
                      std::int64_t now_ns) {
  const auto data = read_jsonl(file);
  if (data.format == row_format::prompts || data.format == row_format::demonstrations)
    throw input_error(
        file.string() + ": error: it holds " + std::string(to_string(data.format)) +
        ", which nobody judged; give pairs, labels, scores, rankings or a book (docs/human.md)");
  exchanged done;
  bool labels = true;
  for (const auto &row : data.rows) labels = labels && (row.score == 0 || row.score == 1);
  for (const auto &row : data.rows) {
    if (!row.turns.empty()) {
      ++done.left_out["dialogues"];
      continue;
    }
    auto line = data.format == row_format::pairs      ? judged_pair(row)
                : data.format == row_format::rankings ? judged_ranking(row)
                                                      : judged_rating(row, labels);
    line.asked.prompt = row.prompt;
    const auto id = file.filename().string() + ":" + std::to_string(row.row + 1);
    if (put_in(book, line, id, annotator, now_ns))
      ++done.lines;
    else
      ++done.left_out["already there"];
  }
  return done;
}

exchanged import_own(feedback_book &book, std::istream &in, const std::filesystem::path &file) {
  exchanged done;
  std::string text;
  for (std::int64_t number = 1; std::getline(in, text); ++number) {
    if (text.empty()) continue;
    try {
      if (read_own_line(book.data(), line_json::parse(text)))
        ++done.lines;
      else
        ++done.left_out["already there"];
    } catch (const std::exception &problem) {
      throw input_error(file.string() + ":" + std::to_string(number) + ": error: " + problem.what());
    }
  }
  return done;
}

bool is_own(std::istream &in) {
  std::string first;
  while (first.empty() && std::getline(in, first)) {
  }
  in.clear();
  in.seekg(0);
  const auto read = line_json::parse(first, nullptr, false);
  return read.is_object() && read.contains("table");
}

}  // namespace

exchanged import_judgements(feedback_book &book, const std::filesystem::path &file,
                            const std::string &annotator, std::int64_t now_ns) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw input_error(file.string() + ": error: it cannot be read; name a file of JSON lines");
  database::transaction all(book.data());
  const auto done = is_own(in) ? import_own(book, in, file) : import_data(book, file, annotator, now_ns);
  try {
    book.verify();
  } catch (const input_error &problem) {
    throw input_error(file.string() + ": error: " + problem.what());
  }
  all.commit();
  return done;
}

}  // namespace slipstream

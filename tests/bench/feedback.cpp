// People's judgements in number: bench_feedback [JUDGEMENTS] [FOLDER]. Fills a book, then measures what a
// person waits for (the next question, storing a verdict), what `feedback stats` takes, and the memory that
// it has at its peak.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/feedback/book.hpp"
#include "runtime/feedback/own_lines.hpp"
#include "runtime/feedback/simulated_annotator.hpp"
#include "runtime/feedback/stats.hpp"

using namespace slipstream;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

question asked(std::int64_t i) {
  question made;
  made.id = "q" + std::to_string(i), made.prompt = std::string(200, 'p');
  made.answers = {{std::string(300, 'a'), "run", i / 64, -10.5},
                  {std::string(280, 'b'), "run", i / 64, -11.5}};
  return made;
}

/// Rows of the past go in by one transaction: every tenth question is judged by two people.
void fill(feedback_book &book, std::int64_t judgements) {
  database::transaction all(book.data());
  std::int64_t given = 0;
  for (std::int64_t i = 0; given < judgements; ++i) {
    const auto each = asked(i);
    const std::int64_t people = i % 10 == 0 ? 2 : 1;
    read_own_line(book.data(), {{"table", "questions"},
                                {"id", each.id},
                                {"form", "pair"},
                                {"prompt", each.prompt},
                                {"asked_ns", i},
                                {"deadline_ns", 0},
                                {"probability", 0.5},
                                {"people", people},
                                {"gold", ""},
                                {"state", "answered"}});
    for (std::size_t place = 0; place < 2; ++place)
      read_own_line(book.data(), {{"table", "answers"},
                                  {"question", each.id},
                                  {"place", place},
                                  {"text", each.answers[place].text},
                                  {"origin", "run"},
                                  {"version", i / 64},
                                  {"logprob", -10.5}});
    for (std::int64_t who = 0; who < people; ++who, ++given) {
      const auto said = judge_pair({.seed = static_cast<std::uint64_t>(who), .noise = 0.5},
                                   static_cast<std::uint64_t>(i), {1, 300}, {0, 280});
      read_own_line(book.data(),
                    {{"table", "judgements"},
                     {"id", fmt::format("{}/{}", each.id, who)},
                     {"question", each.id},
                     {"annotator", fmt::format("person-{}", (i + who) % 7)},
                     {"verdict", to_string(said.verdict)},
                     {"answer_order", i % 2 == 0 ? "0 1" : "1 0"},
                     {"shown_ns", i * second_ns},
                     {"answered_ns", i * second_ns + static_cast<std::int64_t>(said.seconds * 1e9)},
                     {"guideline", 0},
                     {"comment", ""},
                     {"flagged", 0},
                     {"withdrawn", 0},
                     {"fit", ""}});
    }
  }
  all.commit();
}

void report(const char *what, std::vector<double> &seconds) {
  std::sort(seconds.begin(), seconds.end());
  fmt::print("{:<24} median {:8.3f} ms   99 % {:8.3f} ms   longest {:8.3f} ms\n", what,
             1e3 * seconds[seconds.size() / 2], 1e3 * seconds[seconds.size() * 99 / 100],
             1e3 * seconds.back());
}

/// Two people in turn, as the page has them: next, verdict, next, verdict.
void judge(feedback_book &book, std::int64_t count) {
  for (std::int64_t i = 0; i < count + 2; ++i) book.ask(asked(10'000'000 + i), i);
  std::vector<double> next, store;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string who = i % 2 == 0 ? "person-0" : "person-1";
    auto begin = std::chrono::steady_clock::now();
    const auto shown = book.next(who, i * second_ns, 600 * second_ns, 1);
    next.push_back(seconds_since(begin));
    given_verdict given;
    given.id = fmt::format("new-{}", i), given.question = shown->asked.id, given.annotator = who;
    given.verdict = "first";
    begin = std::chrono::steady_clock::now();
    book.judge(given, i * second_ns + 1);
    store.push_back(seconds_since(begin));
  }
  report("next question", next);
  report("verdict on the disk", store);
}

}  // namespace

int main(int argc, char **argv) {
  const std::int64_t judgements = argc > 1 ? std::stoll(argv[1]) : 100'000;
  const auto folder = std::filesystem::path(argc > 2 ? argv[2] : ".") / "bench_feedback";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  {
    feedback_book book(folder / "book.db");
    auto begin = std::chrono::steady_clock::now();
    fill(book, judgements);
    fmt::print("{} judgements filled in {:.1f} s\n", judgements, seconds_since(begin));
    judge(book, 500);
    begin = std::chrono::steady_clock::now();
    const auto figures = feedback_figures(judged_rows(book));
    fmt::print("{:<24} {:.3f} s, alpha {}\n", "stats", seconds_since(begin),
               figures.at("agreement").at("pair").at("alpha_nominal").dump());
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    fmt::print("{:<24} {} MiB\n", "memory at its peak", used.ru_maxrss / 1024);
  }
  std::filesystem::remove_all(folder);
  return 0;
}

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "actors/commands/rows.hpp"
#include "models/error.hpp"
#include "runtime/feedback/exchange.hpp"
#include "runtime/feedback/stats.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

feedback_book open_book(const std::filesystem::path &file) {
  if (!std::filesystem::exists(file))
    throw input_error(file.string() +
                      ": error: there is no such file of judgements; slipstream feedback import makes one");
  return feedback_book(file);
}

/// What was left out is said beside the output, never in it.
void tell(const exchanged &done, const char *what) {
  fmt::print(stderr, "{} lines {}\n", done.lines, what);
  for (const auto &[reason, count] : done.left_out) fmt::print(stderr, "left out: {} ({})\n", count, reason);
}

json totals_of(const feedback_book &book) {
  const auto totals = book.totals();
  return {{"asked", totals.asked},     {"open", totals.open},         {"answered", totals.answered},
          {"expired", totals.expired}, {"consumed", totals.consumed}, {"judgements", totals.judgements},
          {"closes", totals.closes()}};
}

void print_people(const json &people) {
  fmt::print("{:<24} {:>10} {:>10} {:>10} {:>10}\n", "annotator", "judgements", "median s", "per hour",
             "known met");
  const auto shown = [](const json &figure) {
    return figure.is_null() ? std::string("-") : fmt::format("{:.2f}", figure.get<double>());
  };
  for (const auto &[name, own] : people.items())
    fmt::print("{:<24} {:>10} {:>10} {:>10} {:>10}\n", name, own["judgements"].get<std::int64_t>(),
               shown(own["median_seconds"]), shown(own["per_hour"]), shown(own["known_met"]));
}

}  // namespace

command feedback_export_row() {
  return row<feedback_export_arguments>(
      "feedback export", "write people's judgements as JSON lines",
      [](CLI::App &app, feedback_export_arguments &arguments) {
        app.add_option("book", arguments.book, "file of judgements")->required();
        app.add_option("--form", arguments.form, "own, pairs, labels, scores or rankings")
            ->capture_default_str();
        app.add_flag("--ties", arguments.ties, "write ties of pairs, too, as \"tie\": true");
        app.add_option("--to", arguments.to, "file; without it to standard output");
      });
}

command feedback_import_row() {
  return row<feedback_import_arguments>(
      "feedback import", "read judgements from JSON lines",
      [](CLI::App &app, feedback_import_arguments &arguments) {
        app.add_option("book", arguments.book, "file of judgements; made where it is absent")->required();
        app.add_option("file", arguments.file,
                       "a book's own lines, or a data set of pairs, labels, scores or rankings")
            ->required();
        app.add_option("--annotator", arguments.annotator, "whose judgements the lines of a data set are")
            ->capture_default_str();
      });
}

command feedback_stats_row() {
  return row<feedback_stats_arguments>(
      "feedback stats", "pace, care and agreement of those who judged",
      [](CLI::App &app, feedback_stats_arguments &arguments) {
        app.add_option("book", arguments.book, "file of judgements")->required();
        app.add_flag("--json", arguments.json, "print JSON");
      });
}

int execute(const feedback_export_arguments &arguments) {
  const auto form = parse_exchange_form(arguments.form);
  const auto book = open_book(arguments.book);
  if (arguments.to.empty()) {
    tell(export_judgements(book, form, arguments.ties, std::cout), "written");
    return 0;
  }
  auto part = arguments.to;
  part += ".part";  // takes its place once it is whole
  std::ofstream out(part, std::ios::binary);
  const auto done = export_judgements(book, form, arguments.ties, out);
  out.close();
  if (!out) throw run_error(part.string() + ": error: it could not be written");
  std::filesystem::rename(part, arguments.to);
  tell(done, "written");
  return 0;
}

int execute(const feedback_import_arguments &arguments) {
  feedback_book book(arguments.book);
  tell(import_judgements(book, arguments.file, arguments.annotator, now_ns()), "read");
  return 0;
}

int execute(const feedback_stats_arguments &arguments) {
  const auto book = open_book(arguments.book);
  auto figures = feedback_figures(judged_rows(book));
  figures["book"] = totals_of(book);
  if (arguments.json) {
    fmt::print("{}\n", figures.dump(2, ' ', false, json::error_handler_t::replace));
    return 0;
  }
  for (const auto &[state, count] : figures["book"].items())
    if (count.is_number()) fmt::print("{:<10} {:>10}\n", state, count.get<std::int64_t>());
  fmt::print("{}\n\n", figures["book"]["closes"].get<bool>() ? "The sums close." : "The sums do NOT close.");
  print_people(figures["annotators"]);
  fmt::print("\nagreement {}\nposition  {}\n", figures["agreement"].dump(), figures["position"].dump());
  return 0;
}

}  // namespace slipstream

#include "actors/recorder.hpp"

#include <fmt/format.h>
#include <caf/all.hpp>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "actors/compute.hpp"
#include "models/files/write_failure.hpp"
#include "runtime/plumbing/span_totals.hpp"
#include "runtime/run_folder/trace_file.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {
namespace {

struct recorder_state {
  static inline const char *name = "recorder";
  recorder_setup setup;
  std::ofstream metrics;
  std::map<std::string, std::ofstream> further;
  std::optional<trace_file> trace;
  span_totals spans;
  progress_state progress;
  std::int64_t told_ns = 0;
};

using recorder_pointer = recorder_actor::stateful_pointer<recorder_state>;

void open_file(std::ofstream &file, const std::filesystem::path &path, bool resume) {
  if (path.empty()) return;
  errno = 0;
  file.open(path, resume ? std::ios::app : std::ios::trunc);
  if (!file) throw write_failure(path, errno, "cannot be opened for writing");
}

void write_line(std::ofstream &file, const std::filesystem::path &path, const std::string &line) {
  errno = 0;
  file << line << '\n' << std::flush;
  if (!file) throw write_failure(path, errno);
}

void record_span(recorder_pointer self, const span &done) {
  auto &state = self->state;
  // the watchdog hears of work at most four times a second
  if (state.setup.supervisor && done.end_ns - state.told_ns > 250'000'000) {
    state.told_ns = done.end_ns;
    self->send(state.setup.supervisor, progress_atom::value);
  }
  if (done.what != evaluation_span) state.spans.add(done.actor, done.begin_ns, done.end_ns, done.tokens);
  if (state.trace)  // at once: after a kill, what led to the figures is there
    state.trace->write(
        trace_event(done.actor, done.what, done.begin_ns, done.end_ns, done.tokens, done.queued_ns));
}

/// The metrics of a run that an earlier release began keep their names to its end.
nlohmann::json in_old_names(nlohmann::json metrics) {
  for (const auto &word : renamed_words()) {
    const std::string name(word.name);
    if (!metrics.contains(name)) continue;
    metrics[std::string(word.old_name)] = std::move(metrics[name]);
    metrics.erase(name);
  }
  return metrics;
}

void record_update(recorder_pointer self, const std::string &learner, const nlohmann::json &metrics) {
  auto &state = self->state;
  if (const auto other = state.further.find(learner); other != state.further.end())
    return write_line(other->second, state.setup.further.at(learner), metrics.dump());
  if (!metrics.contains("update")) return;  // an evaluation, in a run without files
  if (state.metrics.is_open()) write_line(state.metrics, state.setup.metrics, metrics.dump());
  state.progress.update = metrics.value("update", std::int64_t{0});
  state.progress.seconds = state.spans.seconds();
  state.progress.tokens_per_second = state.spans.tokens_per_second();
  show_progress(state.setup.progress, state.progress, metrics);
}

json_ptr flush(recorder_pointer self) {
  auto &state = self->state;
  end_progress(state.setup.progress);
  return std::make_shared<const nlohmann::json>(state.spans.summary());
}

recorder_actor::behavior_type recorder_behavior(recorder_pointer self, const recorder_setup &setup) {
  fail_with_text(self);
  auto &state = self->state;
  state.setup = setup;
  open_file(state.metrics, setup.metrics, setup.resume);
  for (const auto &[learner, path] : setup.further) open_file(state.further[learner], path, setup.resume);
  if (!setup.trace.empty()) state.trace.emplace(setup.trace);
  return {
      [self](const span &done) { record_span(self, done); },
      [self](update_atom, const std::string &learner, const json_ptr &metrics) {
        record_update(self, learner, self->state.setup.old_names ? in_old_names(*metrics) : *metrics);
      },
      [self](totals_atom, const ledger_totals_ptr &totals) {
        self->state.progress.sampling = totals->waiting + totals->running + totals->partial;
        self->state.progress.buffered = totals->finished + totals->buffered;
      },
      [self](flush_atom) { return flush(self); },
  };
}

}  // namespace

recorder_actor spawn_recorder(caf::actor_system &system, bool detached, const recorder_setup &setup) {
  if (detached) return system.spawn<caf::detached>(recorder_behavior, setup);
  return system.spawn(recorder_behavior, setup);
}

}  // namespace slipstream

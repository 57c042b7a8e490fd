#include "actors/supervisor.hpp"

#include <fmt/format.h>
#include <caf/all.hpp>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "actors/stall.hpp"

namespace slipstream {
namespace {

struct supervisor_state {
  static inline const char *name = "supervisor";
  supervised_run_ptr run;
  std::set<std::string> expected;
  nlohmann::json result = {{"status", "running"}, {"exit_code", 0}, {"reports", nlohmann::json::object()}};
  std::string consequence;  ///< of a death not yet told; the watchdog's beat tells it when no cause has come
  bool ending = false;
  bool ended = false;
  bool restarted = false;  ///< nodes, since something moved
  std::int64_t last_progress_ns = 0;
  std::vector<caf::typed_response_promise<json_ptr>> waiting;
  std::vector<std::function<void()>> early;  ///< came from parts of the run before the run itself did
};

using supervisor_pointer = supervisor_actor::stateful_pointer<supervisor_state>;

nlohmann::json ledger_json(const ledger_totals &totals) {
  return {{"drawn", totals.drawn},
          {"trained", totals.trained},
          {"dropped", totals.dropped},
          {"in_flight", totals.in_flight()},
          {"reissued", totals.reissued}};
}

/// Everybody else ends before the answer goes out, so that files are closed and the folder can be read.
void answer(supervisor_pointer self) {
  auto &state = self->state;
  state.ended = true;
  for (const auto &[name, actor] : state.run->actors)
    self->send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::user_shutdown);
  const json_ptr result = std::make_shared<const nlohmann::json>(state.result);
  for (auto &promise : state.waiting) promise.deliver(result);
  state.waiting.clear();
}

/// The journal's last word is on the disk before anybody hears that the run has ended.
void close_journal(supervisor_pointer self) {
  const auto &services = self->state.run->services;
  if (!services.journal) return answer(self);
  const auto report = self->state.result["reports"].find(self->state.run->learner_name);
  const auto version = report == self->state.result["reports"].end()
                           ? std::int64_t{0}
                           : report->value("updates", std::int64_t{0});
  note(self, services, run_closed{version, self->state.result["status"].get<std::string>()});
  self->request(services.journal, caf::duration{services.deadline}, flush_atom::value)
      .then([self](flush_atom) { answer(self); }, [self](const caf::error &) { answer(self); });
}

void collect_record(supervisor_pointer self) {
  const auto keep = [self](const json_ptr &record) {
    self->state.result["record"] = *record;
    close_journal(self);
  };
  const auto &services = self->state.run->services;
  self->request(services.recorder, caf::duration{services.deadline}, flush_atom::value)
      .then([keep](const json_ptr &record) { keep(record); },
            [self](const caf::error &) { close_journal(self); });
}

/// Reads the books and the record, then answers; parts that died are left out.
void end(supervisor_pointer self, const std::string &status) {
  auto &state = self->state;
  if (std::exchange(state.ending, true)) return;
  state.result["status"] = status;
  const auto on_totals = [self](const ledger_totals_ptr &totals) {
    self->state.result["ledger"] = ledger_json(*totals);
    collect_record(self);
  };
  const auto on_error = [self](const caf::error &) { collect_record(self); };
  const caf::duration deadline{state.run->services.deadline};
  if (status == "stopped")  // what is being generated goes into the journal first
    self->request(state.run->ledger, deadline, flush_atom::value).then(on_totals, on_error);
  else
    self->request(state.run->ledger, deadline, totals_atom::value).then(on_totals, on_error);
}

void fail(supervisor_pointer self, const std::string &text, int exit_code) {
  auto &state = self->state;
  if (state.ending) return;
  state.result["error"] = text;
  state.result["exit_code"] = exit_code;
  end(self, "failed");
}

void on_down(supervisor_pointer self, const caf::down_msg &down) {
  auto &state = self->state;
  if (state.ending || !state.run) return;
  const auto found = std::find_if(state.run->actors.begin(), state.run->actors.end(), [&](const auto &entry) {
    return caf::actor_cast<caf::actor_addr>(entry.second) == down.source;
  });
  const auto name = found == state.run->actors.end() ? std::string("an actor") : found->first;
  const auto text = fmt::format("{} died: {}", name, failure_text(down.reason));
  if (is_consequence(down.reason)) {
    if (state.consequence.empty()) state.consequence = text;
    return;
  }
  fail(self, text, down.reason == caf::sec::invalid_argument ? 2 : 1);
}

/// The watchdog: who has waited for whom, and since when.
void check(supervisor_pointer self) {
  auto &state = self->state;
  if (state.ended || state.ending) return;
  if (!state.consequence.empty()) return fail(self, state.consequence, 1);
  const auto now = now_ns(self);
  const auto idle = (now - state.last_progress_ns) / 1'000'000'000;
  if (idle >= state.run->stall_seconds) {
    auto text = fmt::format("nothing has moved for {} s", idle);
    for (const auto &line : state.run->services.waits->describe(now)) text += "; " + line;
    if (!state.run->nodes || std::exchange(state.restarted, true)) return fail(self, text, 1);
    caf::anon_send(state.run->nodes, stalled_atom::value, text);
    state.last_progress_ns = now;
  }
  self->delayed_send(self, std::chrono::seconds(1), check_atom::value);
}

void begin(supervisor_pointer self, const supervised_run_ptr &run) {
  auto &state = self->state;
  state.run = run;
  state.expected = run->expected;
  state.expected.insert(run->learner_name);
  for (const auto &[name, learner] : run->other_learners) state.expected.insert(name);
  state.last_progress_ns = now_ns(self);
  for (const auto &[name, actor] : run->actors) self->monitor(caf::actor_cast<caf::actor_addr>(actor));
  self->delayed_send(self, std::chrono::seconds(1), check_atom::value);
  for (const auto &happen : std::exchange(state.early, {})) happen();
}

/// A learner that has nothing to train, or a person at the keyboard, may be faster than the thread that
/// spawns the run and then says of what it consists.
void once_begun(supervisor_pointer self, std::function<void()> happen) {
  if (self->state.run)
    happen();
  else
    self->state.early.push_back(std::move(happen));
}

/// Ends early: nothing more is drawn, and once the learner is done nobody else is waited for.
void stop(supervisor_pointer self) {
  auto &state = self->state;
  if (state.ending) return;
  state.result["exit_code"] = 130;
  std::set<std::string> learners;
  const auto tell = [&](const std::string &name, const learner_actor &learner) {
    if (state.expected.count(name) == 0) return;  // it has finished already
    learners.insert(name);
    self->send<caf::message_priority::high>(learner, stop_atom::value);
  };
  self->send(state.run->ledger, stop_atom::value);
  tell(state.run->learner_name, state.run->learner);
  for (const auto &[name, other] : state.run->other_learners) tell(name, other.first);
  state.expected = learners;
  if (learners.empty()) end(self, "stopped");
}

/// The main learner's end is that of those who keep a pace of their own.
void on_done(supervisor_pointer self, const std::string &name) {
  auto &state = self->state;
  state.expected.erase(name);
  if (name == state.run->learner_name)
    for (const auto &[other, learner] : state.run->other_learners)
      if (learner.second) self->send<caf::message_priority::high>(learner.first, stop_atom::value);
  if (state.expected.empty()) end(self, state.result["exit_code"] == 130 ? "stopped" : "finished");
}

supervisor_actor::behavior_type supervisor_behavior(supervisor_pointer self) {
  fail_with_text(self);
  self->set_down_handler([self](const caf::down_msg &down) { on_down(self, down); });
  return {
      [self](const supervised_run_ptr &run) { begin(self, run); },
      [self](report_atom, const std::string &name, const json_ptr &report) {
        self->state.result["reports"][name] = *report;
        self->state.result["history"][name].push_back(*report);
      },
      [self](progress_atom) {
        self->state.last_progress_ns = now_ns(self);
        self->state.restarted = false;
      },
      [self](done_atom, const std::string &name) { once_begun(self, [=] { on_done(self, name); }); },
      [self](stop_atom) { once_begun(self, [self] { stop(self); }); },
      [self](stop_atom, const std::string &why) { once_begun(self, [=] { fail(self, why, 1); }); },
      [self](check_atom) { check(self); },
      [self](wait_atom) -> caf::typed_response_promise<json_ptr> {
        auto promise = self->make_response_promise<json_ptr>();
        if (self->state.ended)
          promise.deliver(json_ptr(std::make_shared<const nlohmann::json>(self->state.result)));
        else
          self->state.waiting.push_back(promise);
        return promise;
      },
  };
}

}  // namespace

supervisor_actor spawn_supervisor(caf::actor_system &system, bool detached) {
  if (detached) return system.spawn<caf::detached>(supervisor_behavior);
  return system.spawn(supervisor_behavior);
}

}  // namespace slipstream

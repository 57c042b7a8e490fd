#include "actors/nodes/rank.hpp"

#include <caf/all.hpp>

#include <map>
#include <utility>

#include "actors/nodes/links.hpp"
#include "runtime/nodes/rank_frames.hpp"

namespace slipstream {
namespace {

using request_atom = caf::atom_constant<caf::atom("request")>;

struct rank_state {
  static inline const char *name = "rank";
  rank_state() = default;
  rank_state(const rank_state &) = delete;
  rank_state &operator=(const rank_state &) = delete;
  ~rank_state() {
    if (worker) worker->leave();  // whoever is waiting for us need not wait longer
  }
  caf::actor uplink;
  std::shared_ptr<rank_worker> worker;
  caf::actor hands;  ///< does the work, on a thread of its own
  std::map<std::uint64_t, caf::typed_response_promise<std::string>> asked;
  std::uint64_t requests = 0;
};

using rank_pointer = caf::stateful_actor<rank_state> *;

void up(rank_pointer self, const rank_message &message) {
  self->send(self->state.uplink, frame_atom::value, encode_rank_message(message));
}

/// Sends requests to the run's meeting point, on a thread that may wait.
meeting_requests requests_through(const caf::actor &front, std::chrono::milliseconds patience) {
  return [front, patience](const std::string &bytes) {
    caf::scoped_actor self{front.home_system()};
    std::string answer, problem;
    self->request(front, caf::duration{patience}, request_atom::value, bytes)
        .receive([&](const std::string &given) { answer = given; },
                 [&](const caf::error &reason) { problem = failure_text(reason); });
    if (!problem.empty()) throw rank_lost("the run does not say where the other ranks are: " + problem);
    return answer;
  };
}

caf::behavior work(caf::event_based_actor *self, const caf::actor &front, const recorder_actor &recorder,
                   const std::string &label, const std::shared_ptr<rank_worker> &worker) {
  fail_with_text(self);
  self->monitor(front);
  self->set_down_handler([self](const caf::down_msg &) { self->quit(); });
  return {[=](const std::string &bytes) {
    const auto task = std::get<rank_task>(decode_rank_message(bytes));
    span done{label, "train", now_ns(self), 0, 0};
    const auto before = worker->tokens();
    const auto problem = worker->perform(task);
    done.end_ns = now_ns(self);
    done.tokens = worker->tokens() - before;
    if (done.tokens > 0) self->send(recorder, std::move(done));
    self->send(front, done_atom::value, encode_rank_message(done_with(problem)));
  }};
}

void take(rank_pointer self, const std::string &bytes) {
  auto &state = self->state;
  const auto message = decode_rank_message(bytes);
  if (std::holds_alternative<rank_task>(message)) return self->send(state.hands, bytes);
  const auto *answer = std::get_if<meeting_answer>(&message);
  if (!answer) throw run_error("the run sent what only a rank may say");
  if (auto found = state.asked.extract(answer->number)) found.mapped().deliver(answer->bytes);
}

caf::typed_response_promise<std::string> ask_meeting(rank_pointer self, const std::string &bytes) {
  auto &state = self->state;
  auto promise = self->make_response_promise<std::string>();
  state.asked.emplace(++state.requests, promise);
  up(self, meeting_request{state.requests, bytes});
  return promise;
}

caf::behavior rank_behavior(rank_pointer self, const std::shared_ptr<rank_setup> &setup) {
  fail_with_text(self);
  auto &state = self->state;
  state.uplink = setup->uplink;
  const auto front = caf::actor_cast<caf::actor>(self);
  const auto where = meet_elsewhere(requests_through(front, setup->options.patience));
  state.worker = std::make_shared<rank_worker>(std::move(setup->options), std::move(setup->initial),
                                               setup->rank, setup->device, where);
  state.hands = self->spawn<caf::detached>(work, front, setup->recorder, setup->label, state.worker);
  self->monitor(state.hands);
  self->set_down_handler([self](const caf::down_msg &gone) { self->quit(gone.reason); });
  up(self, rank_ready{});
  return {
      [self](frame_atom, const std::string &bytes) { take(self, bytes); },
      [self](request_atom, const std::string &bytes) { return ask_meeting(self, bytes); },
      [self](done_atom, const std::string &bytes) {
        self->send(self->state.uplink, frame_atom::value, bytes);
      },
  };
}

}  // namespace

caf::actor spawn_rank(caf::actor_system &system, rank_setup setup) {
  return system.spawn(rank_behavior, std::make_shared<rank_setup>(std::move(setup)));
}

}  // namespace slipstream

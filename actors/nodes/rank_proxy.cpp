#include "actors/nodes/rank_proxy.hpp"

#include <fmt/format.h>
#include <caf/all.hpp>

#include <optional>

#include "actors/nodes/links.hpp"

namespace slipstream {
namespace {

struct rank_proxy_state {
  static inline const char *name = "rank proxy";
  rank_proxy_setup setup;
  std::shared_ptr<far_rank> rank;
  caf::actor agent;  ///< the rank's end of the link; null while it runs nowhere
  frame_pieces pieces;
  clock_shift clocks;
  bool ready = false;                   ///< the rank counts on the others, and they on it
  std::optional<std::uint64_t> absent;  ///< its entry in the wait table
};

using rank_proxy_pointer = caf::stateful_actor<rank_proxy_state> *;

std::string described(const rank_proxy_setup &setup) {
  return fmt::format("rank {} of {} ({} on node \"{}\")", setup.rank, setup.ranks, setup.label, setup.node);
}

/// Ends this actor, from which the supervisor learns of the failure; the leader is told wherever it is.
template <class Error>
[[noreturn]] void fail(const rank_proxy_state &state, const std::string &text) {
  const Error problem(described(state.setup) + " " + text);
  state.rank->gone(std::make_exception_ptr(problem));
  throw problem;
}

void wait_for_node(rank_proxy_pointer self) {
  auto &state = self->state;
  if (!state.absent)
    state.absent = state.setup.services.waits->open(
        {state.setup.label, "node \"" + state.setup.node + "\"", "a process to run in", now_ns(self)});
}

void attach(rank_proxy_pointer self, const caf::actor &agent) {
  auto &state = self->state;
  if (state.ready) fail<run_error>(state, "was started anew, and has lost what it knew; go on with --resume");
  if (state.agent) self->demonitor(state.agent);
  state.agent = agent;
  state.clocks = {};
  state.pieces.take();
  self->monitor(agent);
  if (const auto ticket = std::exchange(state.absent, {})) state.setup.services.waits->close(*ticket);
}

void on_down(rank_proxy_pointer self, const caf::down_msg &down) {
  auto &state = self->state;
  if (!state.agent || down.source != caf::actor_cast<caf::actor_addr>(state.agent)) return;
  state.agent = nullptr;
  if (!state.ready) return wait_for_node(self);  // it may come again: nobody has counted on it yet
  fail<run_error>(
      state, fmt::format("is gone: its process has ended, or was silent for {} s; the others cannot go on "
                         "without it, but the run can with --resume",
                         static_cast<double>(state.setup.silence_ms) / 1000));
}

void handle(rank_proxy_pointer self, const rank_message &message) {
  auto &state = self->state;
  if (std::holds_alternative<rank_ready>(message)) {
    state.ready = true;
    state.rank->ready();
    return self->send(state.setup.services.supervisor, progress_atom::value);
  }
  if (const auto *done = std::get_if<rank_done>(&message)) return state.rank->done(*done);
  const auto *request = std::get_if<meeting_request>(&message);
  if (!request) throw run_error("it says what only the run may say");
  const meeting_answer answer{request->number, answer_meeting(state.setup.meeting, request->bytes)};
  send_frame(self, state.agent, rank_frame{encode_rank_message(answer)});
}

void pass_on(rank_proxy_pointer self, spans_frame spans) {
  const auto &setup = self->state.setup;
  for (auto &each : spans_here(std::move(spans), setup.label, self->state.clocks, now_ns(self)))
    self->send(setup.services.recorder, std::move(each));
}

void take_frame(rank_proxy_pointer self, node_frame frame) {
  if (auto *spans = std::get_if<spans_frame>(&frame)) return pass_on(self, std::move(*spans));
  const auto *bytes = std::get_if<rank_frame>(&frame);
  if (!bytes) throw run_error("it says what no rank may say");
  handle(self, decode_rank_message(bytes->bytes));
}

void take_piece(rank_proxy_pointer self, bool more, const std::string &piece) {
  auto &state = self->state;
  if (!state.agent || caf::actor_cast<caf::strong_actor_ptr>(state.agent) != self->current_sender()) return;
  std::optional<failed_frame> failed;
  try {
    if (!state.pieces.add(piece, more)) return;
    auto frame = decode_frame(state.pieces.take());
    if (const auto *told = std::get_if<failed_frame>(&frame))
      failed = *told;
    else
      take_frame(self, std::move(frame));
  } catch (const run_error &problem) {
    fail<run_error>(state, std::string("broke the rules of the link: ") + problem.what());
  }
  if (!failed) return;
  if (failed->input) fail<input_error>(state, "cannot work: " + failed->text);
  fail<run_error>(state, "has failed: " + failed->text);
}

caf::behavior rank_proxy_behavior(rank_proxy_pointer self, const rank_proxy_setup &setup,
                                  const std::shared_ptr<far_rank> &rank) {
  fail_with_text(self);
  drop_unknown(self);
  self->state.setup = setup;
  self->state.rank = rank;
  self->set_down_handler([self](const caf::down_msg &down) { on_down(self, down); });
  wait_for_node(self);
  return {
      [self](attach_atom, const caf::actor &agent) { attach(self, agent); },
      [self](frame_atom, std::uint8_t more, const std::string &piece) { take_piece(self, more != 0, piece); },
      [self](frame_atom, const std::string &task) {
        if (self->state.agent) send_frame(self, self->state.agent, rank_frame{task});
      },
      [self](end_atom, const std::string &why) { fail<run_error>(self->state, "is missing: " + why); },
  };
}

}  // namespace

std::pair<caf::actor, std::shared_ptr<far_rank>> spawn_rank_proxy(caf::actor_system &system,
                                                                  const rank_proxy_setup &setup) {
  const auto to = std::make_shared<caf::actor>();
  const auto rank = std::make_shared<far_rank>(
      setup.label + " on node \"" + setup.node + "\"",
      [to](std::string task) { caf::anon_send(*to, frame_atom::value, std::move(task)); });
  *to = system.spawn(rank_proxy_behavior, setup, rank);
  return {*to, rank};
}

}  // namespace slipstream

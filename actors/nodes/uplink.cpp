#include "actors/nodes/uplink.hpp"

#include <caf/all.hpp>

#include <utility>

#include "actors/nodes/links.hpp"
#include "actors/services.hpp"

namespace slipstream {
namespace {

struct uplink_state {
  static inline const char *name = "uplink";
  caf::actor proxy;
  caf::strong_actor_ptr actor;    ///< null until it is spawned
  bool samples = false;           ///< it is a sampler
  bool near = false;              ///< as in credit_frame
  std::vector<node_frame> early;  ///< messages that came before the actor was there
  frame_pieces pieces;
  std::vector<span> spans;  ///< sent together with the next message, or soon
};

using uplink_pointer = caf::stateful_actor<uplink_state> *;

constexpr std::size_t most_spans = 64;
constexpr std::chrono::milliseconds spans_wait{100};

void send_spans(uplink_pointer self) {
  auto &state = self->state;
  if (state.spans.empty()) return;
  send_frame(self, state.proxy, spans_frame{now_ns(self), std::exchange(state.spans, {})});
}

void up(uplink_pointer self, const node_frame &frame) {
  send_spans(self);
  send_frame(self, self->state.proxy, frame);
}

void keep_span(uplink_pointer self, const span &done) {
  auto &spans = self->state.spans;
  spans.push_back(done);
  if (spans.size() >= most_spans)
    send_spans(self);
  else if (spans.size() == 1)
    self->delayed_send(self, spans_wait, tick_atom::value);
}

/// Has the sampler write what it has into the journal, and then calls `then`.
template <class Then>
void flush(uplink_pointer self, Then then) {
  const auto sampler = caf::actor_cast<flush_sink>(self->state.actor);
  self->request(sampler, caf::infinite, flush_atom::value)  // our own process; its death is told below
      .then([then](const ids_ptr &begun, const ids_ptr &untouched) { then(*begun, *untouched); },
            [](const caf::error &) {});
}

/// The node goes. The proxy sees this actor end, and gives what the actor had to others.
void leave(uplink_pointer self) {
  auto &state = self->state;
  if (!state.actor || !state.samples) return self->quit();
  flush(self, [self](const auto &, const auto &) {
    send_spans(self);
    self->quit();
  });
}

void down(uplink_pointer self, const node_frame &frame) {
  const auto &actor = self->state.actor;
  if (const auto *work = std::get_if<work_frame>(&frame))
    self->send(caf::actor_cast<work_sink>(actor), work->prompt);
  else if (const auto *group = std::get_if<group_frame>(&frame))
    self->send(caf::actor_cast<rollout_sink>(actor), group->group);
  else if (std::holds_alternative<flush_frame>(frame))
    flush(self, [self](const auto &begun, const auto &untouched) {
      up(self, flushed_frame{begun, untouched});
    });
  else if (const auto *rank = std::get_if<rank_frame>(&frame))
    self->send(caf::actor_cast<caf::actor>(actor), frame_atom::value, rank->bytes);
  else
    throw run_error("the run sent what only a node may say");
}

void take_piece(uplink_pointer self, bool more, const std::string &piece) {
  auto &state = self->state;
  if (!state.pieces.add(piece, more)) return;
  auto frame = decode_frame(state.pieces.take());
  if (state.actor)
    down(self, frame);
  else
    state.early.push_back(std::move(frame));
}

void attach(uplink_pointer self, const caf::strong_actor_ptr &actor) {
  self->state.actor = actor;
  self->monitor(caf::actor_cast<caf::actor_addr>(actor));
  for (const auto &frame : std::exchange(self->state.early, {})) down(self, frame);
}

void on_down(uplink_pointer self, const caf::down_msg &gone) {
  const auto &state = self->state;
  if (state.actor && gone.source == caf::actor_cast<caf::actor_addr>(state.actor))
    up(self, failed_frame{failure_text(gone.reason), gone.reason == caf::sec::invalid_argument});
  self->quit();
}

template <class Result>
token_figures_frame figures_of(const Result &result, bool values,
                               const std::vector<std::vector<float>> &all) {
  return {result.group->source->id, values, result.model, result.version, all};
}

caf::behavior uplink_behavior(uplink_pointer self, const caf::actor &proxy, bool near) {
  fail_with_text(self);
  drop_unknown(self);
  self->state.proxy = proxy;
  self->state.near = near;
  self->set_down_handler([self](const caf::down_msg &gone) { on_down(self, gone); });
  self->monitor(proxy);
  self->send(proxy, attach_atom::value, caf::actor_cast<caf::actor>(self));
  return {
      [self](attach_atom, const caf::strong_actor_ptr &actor) { attach(self, actor); },
      [self](frame_atom, std::uint8_t more, const std::string &piece) { take_piece(self, more != 0, piece); },
      [self](failed_atom, const std::string &text, bool input) {
        up(self, failed_frame{text, input});
        self->quit();
      },
      [self](leave_atom) { leave(self); },
      [self](tick_atom) { send_spans(self); },
      // what the actor says to those who are in the run's process
      [self](credit_atom, const work_sink &, std::int64_t prompts, std::int64_t version) {
        send_frame(self, self->state.proxy, credit_frame{prompts, version, self->state.near});
        send_spans(self);  // after the credit, because the sampler may wait for prompts
      },
      [self](subscribe_atom, const flush_sink &) { self->state.samples = true; },  // the proxy asks us
      [](finished_atom, std::uint64_t) {},                                         // the group says so
      [self](const group_ptr &group) {
        up(self, rollouts_frame{group->source->id, group->rollouts, group->texts});
      },
      [self](const group_scores_ptr &scores) {
        up(self, scores_frame{scores->group->source->id, scores->scorer, scores->model, scores->version,
                              scores->scores});
      },
      [self](const group_logprobs_ptr &result) { up(self, figures_of(*result, false, result->logprobs)); },
      [self](const group_values_ptr &result) { up(self, figures_of(*result, true, result->values)); },
      [self](const journal_event_ptr &event) {
        up(self, journal_frame{encode({now_ns(self), *event})});
      },
      [self](const span &done) { keep_span(self, done); },
      [self](frame_atom, const std::string &bytes) { up(self, rank_frame{bytes}); },
  };
}

}  // namespace

caf::actor spawn_uplink(caf::actor_system &system, const caf::actor &proxy, bool near) {
  return system.spawn(uplink_behavior, proxy, near);
}

}  // namespace slipstream

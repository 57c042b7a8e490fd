#include "actors/nodes/proxy.hpp"

#include <fmt/format.h>
#include <caf/all.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "actors/nodes/links.hpp"
#include "actors/stall.hpp"
#include "runtime/journal/history.hpp"

namespace slipstream {
namespace {

/// A prompt that the actor runs.
struct work_given {
  work_ptr prompt;
  std::vector<partial_generation> begun;  ///< what the journal has of it
  journal_event_ptr last;                 ///< its last tokens; written down when the group is there
};

struct proxy_state {
  static inline const char *name = "proxy";
  proxy_setup setup;
  caf::actor agent;  ///< the actor's end of the link; null while it runs nowhere
  frame_pieces pieces;
  clock_shift clocks;
  std::map<std::uint64_t, work_given> works;
  std::map<std::uint64_t, group_ptr> groups;
  std::optional<caf::typed_response_promise<ids_ptr, ids_ptr>> flushing;
  std::optional<std::uint64_t> absent;  ///< its entry in the wait table while it runs nowhere
  std::optional<std::uint64_t> holds;   ///< its entry while it has work, since it was last heard of
  std::int64_t failures = 0;
  bool near = false;  ///< the actor has a version as soon as it is out
};

using proxy_pointer = caf::stateful_actor<proxy_state> *;

/// This actor, as a type under which others know it.
template <class Sink>
Sink as(proxy_pointer self) {
  return caf::actor_cast<Sink>(caf::actor_cast<caf::strong_actor_ptr>(self));
}

std::string replica_on_node(const proxy_state &state) {
  return state.setup.label + " on node \"" + state.setup.node + "\"";
}

ids_ptr no_ids() {
  return std::make_shared<const std::vector<std::uint64_t>>();
}

void wait_for_node(proxy_pointer self) {
  auto &state = self->state;
  if (!state.absent)
    state.absent = state.setup.services.waits->open(
        {state.setup.label, "node \"" + state.setup.node + "\"", "a process to run in", now_ns(self)});
}

/// Enters what the actor has to do in the wait table, from its last sign of life on.
void note_work(proxy_pointer self) {
  auto &state = self->state;
  const auto &waits = state.setup.services.waits;
  if (const auto ticket = std::exchange(state.holds, {})) waits->close(*ticket);
  const auto held = state.works.size() + state.groups.size();
  if (held > 0 && state.agent)
    state.holds =
        waits->open({"the run", replica_on_node(state), fmt::format("{} prompts", held), now_ns(self)});
}

/// Nothing moves in the whole run. The actor's process hangs, as far as anybody can tell, if it has work, or
/// is a sampler, which should then have said that it has room.
void end_hung(proxy_pointer self, const std::string &text) {
  auto &state = self->state;
  if (!state.agent || (state.groups.empty() && !state.setup.ledger)) return;
  if (++state.failures > state.setup.restarts)
    throw run_error(text + "; " + replica_on_node(state) + " has been started again too often");
  self->send(state.setup.nodes, hung_atom::value, state.setup.label);
}

/// Gives back what the actor had.
void give_back(proxy_pointer self, const std::string &cause) {
  auto &state = self->state;
  if (const auto held = state.works.size() + state.groups.size(); held > 0)
    self->send(state.setup.nodes, lost_atom::value,
               fmt::format("{}; {} that it held are given out again", cause, held));
  state.groups.clear();
  if (state.setup.router) return self->send(state.setup.router, lost_atom::value, state.setup.replica);
  auto held = std::make_shared<lost_work>();
  held->cause = cause;
  for (auto &[id, given] : std::exchange(state.works, {})) {
    const bool any = token_count(given.begun) > 0;
    held->prompts[id] =
        any ? std::make_shared<const std::vector<partial_generation>>(std::move(given.begun)) : nullptr;
  }
  self->send(state.setup.ledger, lost_atom::value, as<work_sink>(self), lost_work_ptr(held));
}

void lose(proxy_pointer self, const std::string &cause) {
  auto &state = self->state;
  if (state.agent) self->demonitor(state.agent);
  state.agent = nullptr;
  state.pieces.take();
  give_back(self, cause);
  note_work(self);
  if (auto promise = std::exchange(state.flushing, {})) promise->deliver(no_ids(), no_ids());
  wait_for_node(self);
}

void attach(proxy_pointer self, const caf::actor &agent) {
  auto &state = self->state;
  if (state.agent) lose(self, replica_on_node(state) + " was started anew");
  state.agent = agent;
  state.clocks = {};
  state.near = false;
  self->monitor(agent);
  if (auto ticket = std::exchange(state.absent, {})) state.setup.services.waits->close(*ticket);
  self->send(state.setup.services.supervisor, progress_atom::value);
  if (state.setup.router) self->send(state.setup.router, ready_atom::value, state.setup.replica);
}

work_given &work_of(proxy_state &state, std::uint64_t id) {
  const auto found = state.works.find(id);
  if (found == state.works.end())
    throw run_error("it speaks of prompt " + std::to_string(id) + ", which it has not");
  return found->second;
}

group_ptr take_group(proxy_state &state, std::uint64_t id) {
  auto found = state.groups.extract(id);
  if (!found) throw run_error("it speaks of group " + std::to_string(id) + ", which it has not");
  return found.mapped();
}

void handle(proxy_pointer self, const credit_frame &frame) {
  const auto &setup = self->state.setup;
  if (!setup.ledger) throw run_error("it asks for prompts, but is no sampler");
  self->state.near = frame.near;
  self->send(setup.ledger, credit_atom::value, as<work_sink>(self), frame.prompts, frame.version);
}

/// Lets prompts set out beside a version that the actor is about to have; they wait for it there. Where
/// weights come over a network, they could wait for long while other samplers have none.
void send_ahead(proxy_pointer self, std::int64_t version) {
  const auto &state = self->state;
  if (state.agent && state.near)
    self->send(state.setup.ledger, credit_atom::value, as<work_sink>(self), std::int64_t{0}, version);
}

/// Tokens go into the journal as they come, but the last ones of a prompt only together with its group: what
/// the journal knows to be whole is never generated again.
void handle(proxy_pointer self, const journal_frame &frame) {
  auto &state = self->state;
  auto record = decode(frame.record);
  const auto *progress = std::get_if<group_progress>(&record.event);
  if (!progress) throw run_error("it writes what only the run may write into the journal");
  auto &given = work_of(state, progress->id);
  const bool whole = std::all_of(progress->samples.begin(), progress->samples.end(),
                                 [](const auto &sample) { return sample.ended; });
  if (!whole) add_progress(given.begun, *progress);
  auto event = std::make_shared<const journal_event>(std::move(record.event));
  if (whole)
    given.last = std::move(event);
  else if (state.setup.services.journal)
    self->send(state.setup.services.journal, journal_event_ptr(std::move(event)));
}

void handle(proxy_pointer self, rollouts_frame &frame) {
  auto &state = self->state;
  auto &given = work_of(state, frame.id);
  const auto samples = given.prompt->begun ? given.prompt->begun->size() : frame.rollouts.size();
  if (frame.rollouts.empty() || frame.rollouts.size() != samples)
    throw run_error("a group has another number of answers than was asked for");
  auto group = std::make_shared<rollout_group>();
  group->source = given.prompt->source;
  group->min_version = given.prompt->min_version;
  group->prompt_tokens = given.prompt->prompt_tokens;
  group->model_versions = given.prompt->model_versions;
  group->rollouts = std::move(frame.rollouts);
  group->texts = std::move(frame.texts);
  if (given.last && state.setup.services.journal) self->send(state.setup.services.journal, given.last);
  state.works.erase(frame.id);
  self->send(state.setup.ledger, finished_atom::value, frame.id);
  for (const auto &sink : state.setup.sinks) self->send(sink, group_ptr(group));
}

void handle(proxy_pointer self, scores_frame &frame) {
  auto scores = std::make_shared<group_scores>();
  scores->group = take_group(self->state, frame.id);
  scores->scorer = std::move(frame.scorer);
  scores->model = std::move(frame.model);
  scores->version = frame.version;
  scores->scores = std::move(frame.scores);
  if (scores->scores.size() != scores->group->rollouts.size())
    throw run_error("a group has other numbers of answers and scores");
  self->send(self->state.setup.router, group_scores_ptr(std::move(scores)));
}

void check_figures(const rollout_group &group, const std::vector<std::vector<float>> &figures) {
  bool fits = figures.size() == group.rollouts.size();
  for (std::size_t i = 0; fits && i < figures.size(); ++i)
    fits = figures[i].size() == group.rollouts[i].tokens.size();
  if (!fits) throw run_error("a group has other numbers of tokens and figures");
}

void handle(proxy_pointer self, token_figures_frame &frame) {
  auto &state = self->state;
  const auto group = take_group(state, frame.id);
  check_figures(*group, frame.figures);
  if (frame.values) {
    auto values = std::make_shared<group_values>();
    *values = {group, std::move(frame.model), frame.version, std::move(frame.figures)};
    self->send(state.setup.router, group_values_ptr(std::move(values)));
  } else {
    auto logprobs = std::make_shared<group_logprobs>();
    *logprobs = {group, std::move(frame.model), std::move(frame.figures), frame.version};
    self->send(state.setup.router, group_logprobs_ptr(std::move(logprobs)));
  }
}

void handle(proxy_pointer self, spans_frame &frame) {
  const auto &setup = self->state.setup;
  for (auto &each : spans_here(std::move(frame), setup.label, self->state.clocks, now_ns(self)))
    self->send(setup.services.recorder, std::move(each));
}

void handle(proxy_pointer self, flushed_frame &frame) {
  auto &state = self->state;
  for (const auto id : frame.begun) work_of(state, id);
  for (const auto id : frame.untouched) work_of(state, id);
  auto promise = std::exchange(state.flushing, {});
  if (!promise) return;
  state.works.clear();
  promise->deliver(std::make_shared<const std::vector<std::uint64_t>>(std::move(frame.begun)),
                   std::make_shared<const std::vector<std::uint64_t>>(std::move(frame.untouched)));
}

/// Has the actor started again within its budget, a little later each time.
void handle(proxy_pointer self, const failed_frame &frame) {
  auto &state = self->state;
  const auto text = replica_on_node(state) + ": " + frame.text;
  if (frame.input) throw input_error(text);
  if (++state.failures > state.setup.restarts)
    throw run_error(text + (state.setup.restarts > 0
                                ? fmt::format(" (and {} times before)", state.failures - 1)
                                : std::string()));
  lose(self, text);
  const auto pause = std::chrono::milliseconds(std::min<std::int64_t>(100 << state.failures, 10'000));
  self->delayed_send(state.setup.nodes, pause, again_atom::value, state.setup.label, text);
}

void handle(proxy_pointer, const work_frame &) {
  throw run_error("it sends prompts");
}
void handle(proxy_pointer, const group_frame &) {
  throw run_error("it sends groups");
}
void handle(proxy_pointer, const flush_frame &) {
  throw run_error("it tells us to stop");
}
void handle(proxy_pointer, const rank_frame &) {
  throw run_error("it speaks as a rank of a learner");
}

/// Bytes that are no message of ours end the link, not the run.
void take_piece(proxy_pointer self, bool more, const std::string &piece) {
  auto &state = self->state;
  if (!state.agent || caf::actor_cast<caf::strong_actor_ptr>(state.agent) != self->current_sender()) return;
  std::optional<node_frame> frame;
  try {
    if (!state.pieces.add(piece, more)) return;
    frame = decode_frame(state.pieces.take());
    if (std::holds_alternative<failed_frame>(*frame)) {
      // it is handled below, because its errors end the run
    } else {
      std::visit([self](auto &each) { handle(self, each); }, *frame);
      note_work(self);
    }
  } catch (const run_error &problem) {
    const auto cause = replica_on_node(state) + " broke the rules of the link: " + problem.what();
    const auto agent = state.agent;
    lose(self, cause);
    self->send_exit(agent, caf::exit_reason::kill);
    self->delayed_send(state.setup.nodes, std::chrono::seconds(1), again_atom::value, state.setup.label,
                       cause);
    return;
  }
  if (const auto *failed = std::get_if<failed_frame>(&*frame)) handle(self, *failed);
}

void give_work(proxy_pointer self, const work_ptr &prompt) {
  auto &state = self->state;
  auto &given = state.works[prompt->source->id];
  given.prompt = prompt;
  if (prompt->begun) given.begun = *prompt->begun;
  if (!state.agent) return give_back(self, replica_on_node(state) + " is gone");
  send_frame(self, state.agent, work_frame{prompt});
  if (!state.holds) note_work(self);
}

void give_group(proxy_pointer self, const group_ptr &group) {
  auto &state = self->state;
  state.groups[group->source->id] = group;
  if (!state.agent) return give_back(self, replica_on_node(state) + " is gone");
  send_frame(self, state.agent, group_frame{group});
  if (!state.holds) note_work(self);
}

caf::result<ids_ptr, ids_ptr> flush(proxy_pointer self) {
  auto &state = self->state;
  if (!state.agent) return {no_ids(), no_ids()};
  state.flushing = self->make_response_promise<ids_ptr, ids_ptr>();
  send_frame(self, state.agent, flush_frame{});
  return *state.flushing;
}

caf::behavior proxy_behavior(proxy_pointer self, const proxy_setup &setup) {
  fail_with_text(self);
  drop_unknown(self);
  self->state.setup = setup;
  self->set_down_handler([self](const caf::down_msg &down) {
    auto &state = self->state;
    if (state.agent && down.source == caf::actor_cast<caf::actor_addr>(state.agent))
      lose(self, replica_on_node(state) + " is gone");
  });
  if (setup.ledger) self->send(setup.ledger, subscribe_atom::value, as<flush_sink>(self));
  if (setup.weights) self->send(setup.weights, subscribe_atom::value, as<weights_sink>(self));
  wait_for_node(self);
  return {
      [self](const work_ptr &prompt) { give_work(self, prompt); },
      [self](const group_ptr &group) { give_group(self, group); },
      [self](const snapshot_ptr &published) { send_ahead(self, published->version); },
      [self](flush_atom) { return flush(self); },
      [self](attach_atom, const caf::actor &agent) { attach(self, agent); },
      [self](frame_atom, std::uint8_t more, const std::string &piece) { take_piece(self, more != 0, piece); },
      [self](stalled_atom, const std::string &text) { end_hung(self, text); },
      [](end_atom, const std::string &why) { throw run_error(why); },  // it will run nowhere any more
  };
}

}  // namespace

caf::actor spawn_proxy(caf::actor_system &system, const proxy_setup &setup) {
  return system.spawn(proxy_behavior, setup);
}

}  // namespace slipstream

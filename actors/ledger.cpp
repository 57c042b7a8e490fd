#include "actors/ledger.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct follower {
  work_sink sampler;
  std::int64_t credit = 0;   ///< prompts it has room for
  std::int64_t version = 0;  ///< newest weights it holds, or is about to: then prompts wait there for them
};

struct ledger_state {
  static inline const char *name = "ledger";
  std::optional<ledger> books;
  run_services services;
  bool version_follows = true;
  bool stopped = false;
  bool put_down = false;    ///< the samplers have been told to put down what they have
  bool drawing = false;     ///< one demand on the loader is under way
  std::deque<drawn> spare;  ///< came from the loader when the rule had no room left
  std::int64_t learner_version = 0;
  loader_actor loader;
  sample_sink finished_data;
  resumed_books resumed;
  ledger_paths paths;
  std::deque<work_ptr> waiting;               // in the order of the draws
  std::map<std::uint64_t, work_ptr> running;  // what the samplers have
  std::vector<follower> samplers;
  std::int64_t newest = 0;  ///< version that a sampler held, though it may be gone
  std::vector<flush_sink> flushed_at_end;
  std::vector<draw_sink> buffers;  ///< told of every draw before anybody works on it
};

using ledger_pointer = ledger_actor::stateful_pointer<ledger_state>;

std::int64_t newest_version(const ledger_state &state) {
  if (!state.version_follows || state.samplers.empty()) return state.learner_version;
  return state.newest;
}

void moved(ledger_pointer self, std::uint64_t id, rollout_state to, std::string cause) {
  note(self, self->state.services, prompt_moved{id, to, std::move(cause)});
}

/// Hands waiting prompts, oldest first, to whichever sampler may take them and has most room.
void hand_out(ledger_pointer self) {
  auto &state = self->state;
  while (!state.waiting.empty() && !state.put_down && state.books->may_start()) {
    const auto &next = state.waiting.front();
    follower *best = nullptr;
    for (auto &candidate : state.samplers) {
      const auto version = state.version_follows ? candidate.version : state.learner_version;
      if (candidate.credit > 0 && version >= next->min_version && (!best || candidate.credit > best->credit))
        best = &candidate;
    }
    if (!best) return;
    --best->credit;
    state.books->start(next->source->id);
    moved(self, next->source->id, rollout_state::running, "a sampler took it");
    self->send(best->sampler, next);
    state.running[next->source->id] = next;
    state.waiting.pop_front();
  }
}

void pump(ledger_pointer self);

/// Prompts wait for a sampler, finished data goes on to the learner's buffer.
void pass_on(ledger_pointer self, const drawn &item, std::int64_t min_version,
             const std::map<std::string, std::int64_t> &model_versions, begun_samples begun = {}) {
  auto &state = self->state;
  if (item.samples) {
    state.books->start(item.source->id);
    state.books->finish(item.source->id);
    self->send(state.finished_data, item.samples);
  } else {
    state.waiting.push_back(std::make_shared<work>(
        work{item.source, item.prompt_tokens, min_version, model_versions, std::move(begun)}));
  }
}

/// Draws what came from the loader as far as the rule has room: since it was asked for, a smaller lead or
/// empty places may have taken the room, and a prompt that waits for weights that are not there yet could be
/// what the batch that makes them waits for.
void book(ledger_pointer self) {
  auto &state = self->state;
  const auto versions = state.paths.versions;
  const auto room = state.books->room(newest_version(state));
  std::vector<drawn> prompts;
  std::vector<draw_notice> draws;
  for (; static_cast<std::int64_t>(prompts.size()) < room && !state.spare.empty(); state.spare.pop_front()) {
    prompts.push_back(std::move(state.spare.front()));
    const auto &source = *prompts.back().source;
    draws.push_back({source.id, state.books->draw(source.id)});
    note(self, state.services,
         prompt_drawn{source.id, draws.back().min_version, source.row, source.epoch, versions});
  }
  if (prompts.empty()) return;
  const draws_ptr told = std::make_shared<const std::vector<draw_notice>>(draws);
  for (const auto &buffer : state.buffers) self->send(buffer, draw_atom::value, told);
  for (std::size_t i = 0; i < prompts.size(); ++i) pass_on(self, prompts[i], draws[i].min_version, versions);
}

/// A prompt that an earlier part of the run drew: from the start, or from its last journalled token.
void pass_on_again(ledger_pointer self, const drawn &item) {
  auto &resumed = self->state.resumed;
  const auto id = item.source->id;
  auto begun = resumed.begun.extract(id);
  if (begun)
    moved(self, id, rollout_state::partial,
          "goes on behind " + std::to_string(token_count(*begun.mapped())) + " journalled tokens");
  pass_on(self, item, resumed.waiting.at(id), resumed.model_versions[id], begun ? begun.mapped() : nullptr);
}

/// What an earlier part of the run drew and did not finish is asked for again, before anything new.
void draw_again(ledger_pointer self) {
  auto &state = self->state;
  if (state.resumed.waiting.empty()) return;
  auto ids = std::make_shared<std::vector<std::uint64_t>>();
  for (const auto &[id, version] : state.resumed.waiting) ids->push_back(id);
  state.drawing = true;
  const auto on_reply = [self](const drawn_batch_ptr &prompts) {
    self->state.drawing = false;
    for (const auto &item : *prompts) pass_on_again(self, item);
    pump(self);
  };
  ask<drawn_batch_ptr>(self, state.services, state.loader, {"ledger", "prompts drawn before", "loader"},
                       on_reply, draw_atom::value, ids_ptr(std::move(ids)));
}

void pump(ledger_pointer self) {
  auto &state = self->state;
  if (!state.stopped) book(self);
  hand_out(self);
  if (state.stopped || state.drawing || !state.loader || !state.spare.empty()) return;
  const auto room = state.books->room(newest_version(state));
  if (room == 0) return;
  state.drawing = true;
  const auto on_reply = [self](const drawn_batch_ptr &prompts) {
    auto &now = self->state;
    now.drawing = false;
    now.spare.insert(now.spare.end(), prompts->begin(), prompts->end());
    pump(self);
  };
  ask<drawn_batch_ptr>(self, state.services, state.loader, {"ledger", "prompts", "loader"}, on_reply,
                       draw_atom::value, std::min<std::int64_t>(room, 256));
}

void take_credit(ledger_pointer self, const work_sink &sampler, std::int64_t prompts, std::int64_t version) {
  auto &samplers = self->state.samplers;
  auto known = std::find_if(samplers.begin(), samplers.end(),
                            [&](const auto &entry) { return entry.sampler == sampler; });
  if (known == samplers.end()) known = samplers.insert(samplers.end(), follower{sampler});
  known->credit += prompts;
  known->version = std::max(known->version, version);
  self->state.newest = std::max(self->state.newest, version);
  pump(self);
}

void finished(ledger_pointer self, std::uint64_t id) {
  self->state.books->finish(id);
  self->state.running.erase(id);
  moved(self, id, rollout_state::finished, "sampled whole");
  hand_out(self);
}

/// Another sampler makes it: from the start, or behind its journalled tokens.
void reissue(ledger_pointer self, const work_ptr &prompt, const begun_samples &begun,
             const std::string &cause) {
  auto &state = self->state;
  const auto id = prompt->source->id;
  auto again = std::make_shared<work>(*prompt);
  if (begun) again->begun = begun;
  if (again->begun) {
    state.books->interrupt(id);
    moved(self, id, rollout_state::partial,
          cause + "; goes on behind " + std::to_string(token_count(*again->begun)) + " journalled tokens");
  } else {
    state.books->reissue(id);
    moved(self, id, rollout_state::waiting, cause);
  }
  const auto place = std::find_if(state.waiting.begin(), state.waiting.end(),
                                  [id](const auto &other) { return other->source->id > id; });
  state.waiting.insert(place, std::move(again));
}

/// The sampler is given nothing more until it asks again, and what it had goes to others.
void lost(ledger_pointer self, const work_sink &sampler, const lost_work &held) {
  auto &state = self->state;
  for (auto &each : state.samplers)
    if (each.sampler == sampler) each.credit = each.version = 0;
  for (const auto &[id, begun] : held.prompts)
    if (const auto prompt = state.running.extract(id)) reissue(self, prompt.mapped(), begun, held.cause);
  hand_out(self);
}

/// Books what news of a path or a learner means for a prompt.
void apply(ledger_pointer self, std::uint64_t id, const path_book::outcome &news, const std::string &cause) {
  auto &books = *self->state.books;
  if (news.buffered) {
    books.buffer(id);
    moved(self, id, rollout_state::buffered, "scored");
  }
  if (news.excused) books.excuse(id);
  if (news.trained) {
    books.train(id);
    moved(self, id, rollout_state::trained, cause);
  }
  if (news.dropped) {
    books.drop(id, cause);
    moved(self, id, rollout_state::dropped, cause);
  }
  if (news.forfeited) books.forfeit(books.group());
}

void trained(ledger_pointer self, const std::string &learner, const ids_ptr &ids, std::int64_t version) {
  auto &state = self->state;
  for (const auto id : *ids)
    apply(self, id, state.paths.book.train(learner, id), "made version " + std::to_string(version));
  if (state.paths.book.is_main(learner)) state.learner_version = version;
  const auto model = state.paths.model_of.find(learner);
  if (model != state.paths.model_of.end()) state.paths.versions[model->second] = version;
  self->send(state.services.recorder, totals_atom::value,
             std::make_shared<const ledger_totals>(state.books->totals()));
  pump(self);
}

/// What runs goes no further in this part of the run.
void interrupt(ledger_pointer self, const std::vector<std::uint64_t> &begun,
               const std::vector<std::uint64_t> &untouched) {
  for (const auto id : begun) {
    self->state.books->interrupt(id);
    moved(self, id, rollout_state::partial, "the run was stopped; its tokens are in the journal");
  }
  for (const auto id : untouched) {
    self->state.books->reissue(id);
    moved(self, id, rollout_state::waiting, "the run was stopped before its first token");
  }
}

caf::typed_response_promise<ledger_totals_ptr> put_down(ledger_pointer self) {
  auto &state = self->state;
  state.stopped = state.put_down = true;
  auto promise = self->make_response_promise<ledger_totals_ptr>();
  const auto left = std::make_shared<std::size_t>(state.flushed_at_end.size() + 1);
  auto one_more = [self, promise, left]() mutable {
    if (--*left == 0) promise.deliver(std::make_shared<const ledger_totals>(self->state.books->totals()));
  };
  for (const auto &sampler : state.flushed_at_end)
    self->request(sampler, caf::duration{state.services.deadline}, flush_atom::value)
        .then(
            [self, one_more](const ids_ptr &begun, const ids_ptr &untouched) mutable {
              interrupt(self, *begun, *untouched);
              one_more();
            },
            [one_more](const caf::error &) mutable { one_more(); });  // it died: what it had is lost
  one_more();
  return promise;
}

ledger_actor::behavior_type ledger_behavior(ledger_pointer self, const ledger &books, bool version_follows,
                                            const run_services &services, const resumed_books &resumed,
                                            const ledger_paths &paths) {
  fail_with_text(self);
  self->state.books = books;
  self->state.version_follows = version_follows;
  self->state.services = services;
  self->state.resumed = resumed;
  self->state.paths = paths;
  self->state.learner_version = resumed.version;
  return {
      [self](subscribe_atom, const loader_actor &loader, const sample_sink &finished_data) {
        self->state.loader = loader;
        self->state.finished_data = finished_data;
        draw_again(self);
        pump(self);
      },
      [self](subscribe_atom, const draw_sink &buffer) { self->state.buffers.push_back(buffer); },
      [self](credit_atom, const work_sink &sampler, std::int64_t prompts, std::int64_t version) {
        take_credit(self, sampler, prompts, version);
      },
      [self](finished_atom, std::uint64_t id) { finished(self, id); },
      [self](lost_atom, const work_sink &sampler, const lost_work_ptr &held) { lost(self, sampler, *held); },
      [self](buffered_atom, const std::string &path, std::uint64_t id) {
        apply(self, id, self->state.paths.book.keep(path, id), "");
      },
      [self](dropped_atom, const std::string &path, std::uint64_t id, const std::string &reason) {
        apply(self, id, self->state.paths.book.drop(path, id), reason);
        pump(self);
      },
      [self](trained_atom, const std::string &learner, const ids_ptr &ids, std::int64_t version) {
        trained(self, learner, ids, version);
      },
      [self](brake_atom, const std::string &learner, const ids_ptr &ids, const std::string &reason) {
        // no draw in between: the count must not fall for a moment
        for (const auto id : *ids) apply(self, id, self->state.paths.book.skip(learner, id), reason);
      },
      [self](done_atom, const std::string &learner) {
        for (const auto &[id, news] : self->state.paths.book.retire(learner))
          apply(self, id, news, "\"" + learner + "\" has ended");
      },
      [self](turn_atom, std::int64_t lead) {
        self->state.books->set_lead(lead);
        pump(self);
      },
      [self](forfeit_atom, std::int64_t rollouts) {
        self->state.books->forfeit(rollouts);
        if (rollouts < 0) pump(self);
        return forfeit_atom::value;
      },
      [self](stop_atom) { self->state.stopped = true; },
      [self](subscribe_atom, const flush_sink &sampler) { self->state.flushed_at_end.push_back(sampler); },
      [self](flush_atom) { return put_down(self); },
      [self](totals_atom) -> ledger_totals_ptr {
        return std::make_shared<const ledger_totals>(self->state.books->totals());
      },
  };
}

}  // namespace

ledger_actor spawn_ledger(caf::actor_system &system, ledger books, bool version_follows,
                          run_services services, resumed_books resumed, ledger_paths paths) {
  return system.spawn(ledger_behavior, std::move(books), version_follows, std::move(services),
                      std::move(resumed), std::move(paths));
}

}  // namespace slipstream

#pragma once

#include <caf/actor.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "runtime/messages.hpp"

// clang-format off
/// The map of the actors: every typed handle that one actor holds of another.
///
///     loader ⇄ ledger ⇄ sampler ─► scorer.*, critic, … ─► advantage.*, pairs ─► buffer ⇄ learner(s)
///                ▲         ▲                                                       │        │
///                │         └──────────────────── weights ◄───────────────────────── snapshots
///                └── finished, buffered, dropped, trained                  evaluator ◄─ weights
///
/// Each row below is a handle of this file; a test compares the rows with the aliases (tests/rules/map.py).
///
/// | actor        | who it is                                     | waits for                       | woken by                            | bounded by
/// |--------------|-----------------------------------------------|---------------------------------|-------------------------------------|----------------------------------
/// | loader       | reads prompts or examples                     | a demand for n lines, or for ids| ledger; learner (demonstrations)    | the demand
/// | ledger       | books every draw, admits new ones             | room under the admission rule   | trained, dropped, new version       | batch x (max_staleness + 1)
/// | sampler      | generates rollouts                            | prompts; a step of its own      | ledger, against its credit; weights | its slots and as many groups
/// | scorer       | rates rollouts by a rule                      | rollouts                        | sampler, or its router              | the ledger
/// | reference    | gives log-probabilities of a frozen model     | rollouts                        | sampler, or its router              | the ledger
/// | model_scorer | reward model, critic, moving reference        | rollouts, and a version that is new enough for them | sampler, or its router; weights | the ledger
/// | router       | shares groups among replicas of one scorer    | rollouts, replicas' results     | sampler; replicas                   | the ledger
/// | join         | advantage.* and pairs: groups become samples  | all figures of a group          | sampler, scorers, references, critic| the ledger
/// | buffer       | composes batches in the order of the schedule | a whole batch                   | learner's pull                      | the ledger
/// | learner      | trains a model                                | a batch                         | buffer; itself, between slices      | one batch
/// | evaluator    | measures versions on held-out lines           | a version that is due           | weights; itself, between slices     | one version
/// | weights      | passes new versions on                        | a version                       | learner                             | the newest snapshot
/// | recorder     | writes metrics, spans and totals              | figures                         | learner, actors that compute        | one line a message
/// | journal      | writes decisions and tokens to the disk       | an event                        | ledger, buffer, learner, sampler    | the ledger
/// | supervisor   | ends the run, watches for stalls              | results, ends and deaths        | all actors; a beat of its own       | one message an actor
// clang-format on
namespace slipstream {

// Ports: what flows along the edges that a topology draws. A node's interface extends the sinks it takes.
using work_sink = caf::typed_actor<caf::reacts_to<work_ptr>>;
using rollout_sink = caf::typed_actor<caf::reacts_to<group_ptr>>;
using score_sink = caf::typed_actor<caf::reacts_to<group_scores_ptr>>;
using logprob_sink = caf::typed_actor<caf::reacts_to<group_logprobs_ptr>>;
using value_sink = caf::typed_actor<caf::reacts_to<group_values_ptr>>;
using sample_sink = caf::typed_actor<caf::reacts_to<sample_group_ptr>>;
using draw_sink = caf::typed_actor<caf::reacts_to<draw_atom, draws_ptr>>;
using weights_sink = caf::typed_actor<caf::reacts_to<snapshot_ptr>>;

// An actor that generates answers. On flush it writes the tokens it has into the journal and stops. It
// answers with the prompts that have tokens and with those that have none yet.
using flush_sink = caf::typed_actor<caf::replies_to<flush_atom>::with<ids_ptr, ids_ptr>>;

// Nodes of the graph.
using loader_actor = caf::typed_actor<caf::replies_to<draw_atom, std::int64_t>::with<drawn_batch_ptr>,
                                      caf::replies_to<draw_atom, ids_ptr>::with<drawn_batch_ptr>>;
using sampler_actor =
    caf::typed_actor<caf::reacts_to<work_ptr>, caf::reacts_to<snapshot_ptr>, caf::reacts_to<step_atom>,
                     caf::replies_to<flush_atom>::with<ids_ptr, ids_ptr>>;
using scorer_actor = rollout_sink;
using reference_actor = rollout_sink;
using model_scorer_actor = caf::typed_actor<caf::reacts_to<group_ptr>, caf::reacts_to<snapshot_ptr>>;
/// Shares groups out among the replicas of one scorer, reference or critic; their results come back through
/// it.
using router_actor =
    caf::typed_actor<caf::reacts_to<group_ptr>, caf::reacts_to<group_scores_ptr>,
                     caf::reacts_to<group_logprobs_ptr>, caf::reacts_to<group_values_ptr>,
                     caf::reacts_to<subscribe_atom, std::int64_t, rollout_sink>,  // a replica, not yet ready
                     caf::reacts_to<lost_atom, std::int64_t>,    // replica: it is gone with all it had
                     caf::reacts_to<ready_atom, std::int64_t>>;  // replica: it takes groups
using join_actor = caf::typed_actor<caf::reacts_to<group_ptr>, caf::reacts_to<group_scores_ptr>,
                                    caf::reacts_to<group_logprobs_ptr>, caf::reacts_to<group_values_ptr>>;
using buffer_actor = caf::typed_actor<
    caf::reacts_to<sample_group_ptr>,
    caf::reacts_to<draw_atom, draws_ptr>,       // these will arrive or be dropped
    caf::reacts_to<change_atom, std::int64_t>,  // the window from now on, in groups
    caf::reacts_to<check_atom, std::int64_t>,   // the batch of that version has been waited for long enough
    caf::replies_to<pull_atom, std::string, std::int64_t>::with<batch_ptr>,  // learner, version
    caf::reacts_to<stop_atom, std::string>>;  // the learner ends: its pull is answered
using learner_actor =
    caf::typed_actor<caf::reacts_to<step_atom>, caf::reacts_to<stop_atom>,
                     caf::reacts_to<snapshot_ptr>,                   // a model that scored what it trains on
                     caf::reacts_to<subscribe_atom, loader_actor>>;  // of demonstrations beside its samples
using evaluator_actor = caf::typed_actor<caf::reacts_to<snapshot_ptr>, caf::reacts_to<step_atom>>;

struct supervised_run;
using supervised_run_ptr = std::shared_ptr<const supervised_run>;

// Parts that every topology has.
using ledger_actor = caf::typed_actor<
    caf::reacts_to<subscribe_atom, loader_actor, sample_sink>,  // where to draw, where finished data goes
    caf::reacts_to<subscribe_atom, draw_sink>,                  // a buffer that hears of every draw
    caf::reacts_to<credit_atom, work_sink, std::int64_t, std::int64_t>,  // room for n prompts more; version
                                                                         // held
    caf::reacts_to<finished_atom, std::uint64_t>,                        // sampled whole
    caf::reacts_to<lost_atom, work_sink, lost_work_ptr>,        // the sampler is gone, or gives its work back
    caf::reacts_to<buffered_atom, std::string, std::uint64_t>,  // a path's buffer has it
    caf::reacts_to<dropped_atom, std::string, std::uint64_t, std::string>,  // by a path, with the reason
    caf::reacts_to<trained_atom, std::string, ids_ptr, std::int64_t>,  // learner; ids; the version they made
    caf::reacts_to<guard_atom, std::string, ids_ptr, std::string>,     // learner; ids; why it left them
    caf::reacts_to<done_atom, std::string>,                            // a learner has ended
    caf::reacts_to<change_atom, std::int64_t>,                         // the lead from now on
    caf::replies_to<forfeit_atom, std::int64_t>::with<forfeit_atom>,   // places that a batch leaves empty
    caf::reacts_to<stop_atom>,                                         // draw no more
    caf::reacts_to<subscribe_atom, flush_sink>,                        // an actor that is flushed at the end
    caf::replies_to<flush_atom>::with<ledger_totals_ptr>,  // flushes all of these; nothing is handed out
                                                           // afterwards
    caf::replies_to<totals_atom>::with<ledger_totals_ptr>>;
using weights_actor =
    caf::typed_actor<caf::reacts_to<snapshot_ptr>, caf::reacts_to<subscribe_atom, weights_sink>>;
using recorder_actor =
    caf::typed_actor<caf::reacts_to<span>,                                // a stretch of computation
                     caf::reacts_to<update_atom, std::string, json_ptr>,  // a learner's update: its metrics
                     caf::reacts_to<totals_atom, ledger_totals_ptr>,      // the books after an update
                     caf::replies_to<flush_atom>::with<json_ptr>>;  // all written; totals for the summary
using journal_actor =
    caf::typed_actor<caf::reacts_to<journal_event_ptr>,  // a decision, or what a learner will see
                     caf::replies_to<flush_atom>::with<flush_atom>>;  // all so far is on the disk
using supervisor_actor =
    caf::typed_actor<caf::reacts_to<supervised_run_ptr>,  // the parts of the run, once spawned
                     caf::reacts_to<progress_atom>,       // something moved
                     caf::reacts_to<report_atom, std::string, json_ptr>,  // an actor's result for the summary
                     caf::reacts_to<done_atom, std::string>,              // an actor has nothing left to do
                     caf::reacts_to<stop_atom>,                           // end the run cleanly
                     caf::reacts_to<stop_atom, std::string>,              // end it as failed: why
                     caf::reacts_to<check_atom>,                          // the watchdog's beat
                     caf::replies_to<wait_atom>::with<json_ptr>>;  // the summary, once the run has ended

}  // namespace slipstream

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::supervised_run_ptr)

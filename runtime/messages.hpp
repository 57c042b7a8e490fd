#pragma once

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/atom.hpp>
#include <caf/meta/type_name.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "models/network/transformer.hpp"
#include "runtime/journal/events.hpp"
#include "runtime/schedule/ledger.hpp"
#include "runtime/types.hpp"

/// What actors say to each other: immutable values behind shared pointers (never copied in a process), and
/// plain structs of integers and strings. No floating-point number stands in a message itself.
namespace slipstream {

/// Published weights, which are never written again.
struct snapshot {
  std::int64_t version = 0;
  std::shared_ptr<const transformer> model;
  std::string name{};  ///< of the model in the topology
  bool last = false;   ///< its learner has ended
};
using snapshot_ptr = std::shared_ptr<const snapshot>;

using drawn_batch_ptr = std::shared_ptr<const std::vector<drawn>>;
using group_scores_ptr = std::shared_ptr<const group_scores>;
using group_values_ptr = std::shared_ptr<const group_values>;
using group_logprobs_ptr = std::shared_ptr<const group_logprobs>;
using ledger_totals_ptr = std::shared_ptr<const ledger_totals>;
using json_ptr = std::shared_ptr<const nlohmann::json>;
using journal_event_ptr = std::shared_ptr<const journal_event>;
using lost_work_ptr = std::shared_ptr<const lost_work>;
using ids_ptr = std::shared_ptr<const std::vector<std::uint64_t>>;

/// A stretch of computation: who, what, from when to when (nanoseconds of the system's clock), tokens
/// handled, and how long it waited for the run's cores before.
struct span {
  std::string actor;
  std::string what;
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  std::int64_t tokens = 0;
  std::int64_t queued_ns = 0;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector &f, span &x) {
  return f(caf::meta::type_name("slipstream::span"), x.actor, x.what, x.begin_ns, x.end_ns, x.tokens,
           x.queued_ns);
}

using draw_atom = caf::atom_constant<caf::atom("draw")>;
using credit_atom = caf::atom_constant<caf::atom("credit")>;
using finished_atom = caf::atom_constant<caf::atom("finished")>;
using buffered_atom = caf::atom_constant<caf::atom("buffered")>;
using dropped_atom = caf::atom_constant<caf::atom("dropped")>;
using trained_atom = caf::atom_constant<caf::atom("trained")>;
using totals_atom = caf::atom_constant<caf::atom("totals")>;
using pull_atom = caf::atom_constant<caf::atom("pull")>;
using step_atom = caf::atom_constant<caf::atom("step")>;
using stop_atom = caf::atom_constant<caf::atom("stop")>;
using subscribe_atom = caf::atom_constant<caf::atom("subscribe")>;
using report_atom = caf::atom_constant<caf::atom("report")>;
using update_atom = caf::atom_constant<caf::atom("update")>;
using wait_atom = caf::atom_constant<caf::atom("wait")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using done_atom = caf::atom_constant<caf::atom("done")>;
using progress_atom = caf::atom_constant<caf::atom("progress")>;
using forfeit_atom = caf::atom_constant<caf::atom("forfeit")>;
using guard_atom = caf::atom_constant<caf::atom("guard")>;
using change_atom = caf::atom_constant<caf::atom("change")>;
using lost_atom = caf::atom_constant<caf::atom("lost")>;
using ready_atom = caf::atom_constant<caf::atom("ready")>;
using check_atom = caf::atom_constant<caf::atom("check")>;

}  // namespace slipstream

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::snapshot_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::work_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::group_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::drawn_batch_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::sample_group_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::draws_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::batch_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::group_scores_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::group_logprobs_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::group_values_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::ledger_totals_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::json_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::ids_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::lost_work_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::journal_event_ptr)

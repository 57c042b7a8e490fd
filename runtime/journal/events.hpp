#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/schedule/ledger.hpp"
#include "runtime/schedule/path_book.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// What a journal holds: every decision about a prompt with its cause, every group as it will be trained on,
/// and every batch as it was consumed.
struct run_opened {
  std::string name;
  std::uint64_t seed = 0;
  std::int64_t group = 1;      ///< rollouts of a prompt
  bool keeps_partial = false;  ///< a resume goes on with answers under way; else they are sampled anew
  std::vector<learner_path> learners{};  ///< the main one first
};
struct prompt_drawn {
  std::uint64_t id = 0;
  std::int64_t min_version = 0;
  std::int64_t row = 0;    ///< of the dataset
  std::int64_t epoch = 0;  ///< how often the dataset was gone through before
  /// The oldest version of each model that keeps no step with the main learner and may score the answers.
  std::map<std::string, std::int64_t> model_versions{};
};
struct prompt_moved {
  std::uint64_t id = 0;
  rollout_state to = rollout_state::waiting;
  std::string cause;
};
/// A group reached the buffer of a path: what its learners will see of it.
struct group_kept {
  sample_group_ptr group;
  std::string path{};
};
/// A learner was given these groups, in this order, to make `version`.
struct batch_consumed {
  std::int64_t version = 0;
  std::vector<std::uint64_t> ids;
  std::string learner{};
};
/// A guard: the batch that `version` was to be made of changed nothing, and the learner did not train on its
/// groups.
struct batch_skipped {
  std::int64_t version = 0;
  std::string cause;
  std::string learner{};
};
/// One of the schedule's numbers changed, from `version` on.
struct schedule_changed {
  std::string number;
  std::int64_t version = 0;
  std::int64_t value = 0;
  std::string cause;
};
/// The run went on from each learner's checkpoint: what was consumed for later versions is consumed again.
struct run_resumed {
  std::map<std::string, std::int64_t> versions;  ///< by learner
};
/// The run ended in order.
struct run_closed {
  std::int64_t version = 0;
  std::string status;
};
/// A path will not give the group to its learners.
struct path_dropped {
  std::uint64_t id = 0;
  std::string path;
  std::string reason;
};
/// Scored answers of a group that no learner will see: all of one that is dropped, or what a pair does not
/// take.
struct answers_left_out {
  std::uint64_t id = 0;
  std::vector<std::int64_t> lengths;  ///< tokens generated, one an answer
  std::vector<double> rewards;        ///< one an answer
};

/// A learner has made `version`: a CRC-32 of each tensor that it trains, so that a replay knows the first one
/// that differs without its checkpoint.
struct version_made {
  std::string learner;
  std::int64_t version = 0;
  std::vector<std::uint32_t> tensors;
};
/// What a prompt's samples have got since the last such record of it, one entry a sample.
struct group_progress {
  std::uint64_t id = 0;
  std::vector<partial_generation> samples;
};

/// The arithmetic of what follows (models/arithmetic/number.hpp); 1 where a journal has no such record.
struct arithmetic_used {
  std::int64_t number = 1;
};

using journal_event = std::variant<run_opened, prompt_drawn, prompt_moved, group_kept, batch_consumed,
                                   run_resumed, run_closed, batch_skipped, schedule_changed, version_made,
                                   answers_left_out, group_progress, path_dropped, arithmetic_used>;
struct journal_record {
  std::int64_t time_ns = 0;  ///< of the run's clock
  journal_event event;
};

std::string encode(const journal_record &record);
/// Throws run_error for bytes that are no record.
journal_record decode(std::string_view bytes);

}  // namespace slipstream

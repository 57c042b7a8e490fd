#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/journal/journal.hpp"

namespace slipstream {

/// The state of a prompt at the end of a journal.
struct prompt_record {
  std::int64_t min_version = 0;
  rollout_state state = rollout_state::waiting;
  std::string reason;                                    ///< why it was dropped
  std::map<std::string, std::int64_t> model_versions{};  ///< as in prompt_drawn
};

/// The groups of one path according to a journal.
struct path_history {
  std::map<std::uint64_t, sample_group_ptr> groups;  ///< groups that a learner still has to train on
  std::set<std::uint64_t> kept, consumed;            ///< all that ever were
  std::vector<std::uint64_t> arrivals;               ///< groups in the order they reached the buffer
  std::map<std::uint64_t, std::string> dropped;      ///< the reason, by group
  /// Batches by the version they make, of versions that a learner has still to make.
  std::map<std::int64_t, std::vector<std::uint64_t>> batches;
};

struct learner_history {
  std::string name, path;
  std::int64_t version = 0;                      ///< version of the checkpoint from which it is resumed
  std::int64_t consumed = 0;                     ///< the newest version that it was ever given a batch for
  std::map<std::uint64_t, std::int64_t> made{};  ///< the version that each group it consumed makes

  std::map<std::int64_t, std::string> guards{};  ///< versions whose batch changed nothing, and why

  /// Whether the checkpoint is behind the batch of the group; and whether the group taught anything there.
  bool has_passed(std::uint64_t id) const;
  bool has_trained_on(std::uint64_t id) const;
};

using learner_versions = std::map<std::string, std::int64_t>;

/// The durable state of a run: the sum of its journal.
struct run_history {
  run_opened opened;
  std::int64_t arithmetic = 1;  ///< of its newest part
  std::map<std::uint64_t, prompt_record> prompts;
  std::vector<learner_history> learners;  ///< the main one first
  std::map<std::string, path_history> paths;
  std::map<std::uint64_t, std::vector<partial_generation>> begun;  ///< of prompts that are being sampled
  std::map<std::string, std::int64_t> numbers;                     ///< the schedule's numbers in force
  std::int64_t reissued = 0;                                       ///< rollouts
  std::int64_t continued = 0;  ///< rollouts of prompts that went on behind their journalled tokens
  bool closed = false;
  std::string fault;  ///< the first thing no run may do, as to train a prompt twice or to generate a token
                      ///< again; empty: none
  std::optional<journal_damage> damage;

  ledger_totals totals() const;
  std::uint64_t next_id() const { return prompts.empty() ? 0 : prompts.rbegin()->first + 1; }
  std::int64_t version() const { return learners.front().version; }  ///< of the main learner
  const learner_history &learner(const std::string &name) const;
  std::vector<const learner_history *> learners_of(const std::string &path) const;
  /// Whether the path will not give the prompt's group to its learners.
  bool dropped_on(const std::string &path, std::uint64_t id) const;
};

/// What a prompt's samples have got, with one record more of it. Throws run_error where the record is of
/// another number of samples.
void add_progress(std::vector<partial_generation> &samples, const group_progress &more);

/// Adds up a journal for a run that goes on from the learners' checkpoints: what was trained later is put
/// back, what was running is partial where the journal has tokens of it that count, and else waiting again.
run_history read_history(const std::filesystem::path &journal, const learner_versions &checkpoints);

/// Adds up a journal as it stands, for `slipstream ledger`.
run_history read_history(const std::filesystem::path &journal);

}  // namespace slipstream

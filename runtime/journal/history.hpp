#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "runtime/journal/journal.hpp"

namespace slipstream {

/// Where a prompt stands after a journal.
struct prompt_place {
  std::int64_t min_version = 0;
  rollout_state state = rollout_state::waiting;
  std::string reason;     ///< why it was dropped
  bool consumed = false;  ///< it stood in a batch, whether that changed anything or not
};

/// What a journal adds up to: where a run stands, as far as it is durable.
struct run_history {
  run_opened opened;
  std::map<std::uint64_t, prompt_place> prompts;
  std::map<std::uint64_t, sample_group_ptr>
      groups;  ///< in the buffer, or consumed for a version still to be made
  std::map<std::uint64_t, std::vector<partial_generation>> begun;  ///< of prompts that are being sampled
  std::vector<std::uint64_t> arrivals;    ///< groups in the order they reached the buffer
  std::deque<batch_consumed> to_consume;  ///< consumed for versions after the checkpoint, in order
  std::map<std::int64_t, std::int64_t> batch_groups;  ///< groups that each consumed batch trained on
  std::map<std::string, std::int64_t> dials;          ///< the schedule's numbers in force
  std::int64_t reissued = 0;                          ///< rollouts
  std::int64_t continued = 0;  ///< rollouts of prompts that went on behind their journalled tokens
  std::int64_t version = 0;    ///< of the checkpoint gone on from
  bool closed = false;
  std::string fault;  ///< the first thing no run may do, as to train a prompt twice or to generate a token
                      ///< again; empty: none
  std::optional<journal_damage> damage;

  ledger_totals totals() const;
  std::uint64_t next_id() const { return prompts.empty() ? 0 : prompts.rbegin()->first + 1; }
};

/// Adds up a journal for a run that goes on from the checkpoint of `version`: what was trained later is put
/// back, what was running is partial where the journal has tokens of it that count, and else waiting again.
run_history read_history(const std::filesystem::path &journal, std::int64_t version);

/// Adds up a journal as it stands, for `slipstream ledger`.
run_history read_history(const std::filesystem::path &journal);

}  // namespace slipstream

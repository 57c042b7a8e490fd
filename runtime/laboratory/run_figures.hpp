#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace slipstream {

/// What a curve may run over, and what stands at its points.
struct update_point {
  double update = 0;
  double samples = 0;                     ///< rollouts trained on
  double generated_tokens = 0;            ///< decoded by samplers
  double wall_seconds = 0;                ///< at work; interruptions left out
  double device_seconds = 0;              ///< busy time of all actors, on the CPU times their threads
  double wait_seconds = 0;                ///< the longest that a group of this batch had lain finished
  double wait_versions = 0;               ///< the same in batches consumed meanwhile
  double open_seconds = 0;                ///< age of the oldest draw that was neither consumed nor dropped
  std::map<std::string, double> metrics;  ///< the numbers of the line of metrics.jsonl
};

/// One sampled and scored answer.
struct answer_figures {
  std::int64_t row = 0;     ///< of the dataset
  std::int64_t length = 0;  ///< tokens
  double reward = 0;
  double age = 0;  ///< versions, of its oldest token, when it was trained on; NaN where nothing ages
  bool trained = false;
};

/// Shares of the run's time, means over replicas.
struct actor_shares {
  double busy = 0;     ///< computed
  double queued = 0;   ///< waited for cores
  double waiting = 0;  ///< had nothing to do, or what it did was no computation
};

/// All that the laboratory knows of one finished run.
struct run_figures {
  std::vector<update_point> updates;
  std::map<std::int64_t, std::int64_t> token_ages;  ///< age in versions when trained on, to tokens
  std::map<std::string, actor_shares> actors;
  std::vector<answer_figures> answers;         ///< of runs that sample
  std::int64_t generated = 0;                  ///< tokens; 0 where nothing is sampled
  std::int64_t trained = 0;                    ///< generated tokens that were trained on
  std::map<std::string, std::int64_t> wasted;  ///< the others, by what became of them
  std::map<std::uint64_t, std::pair<std::int64_t, std::int64_t>> draws;  ///< draw to (epoch, row)
  std::map<std::string, double> values;  ///< single figures by key; see comparison.hpp for what they mean
};

/// Reads the folder of a run that has finished. Throws input_error naming the file that cannot be read.
run_figures read_run_figures(const std::filesystem::path &folder);

/// Mean reward of each row's answers: how hard a prompt is (lower is harder).
std::map<std::int64_t, double> row_rewards(const run_figures &run);

/// Adds what was trained on against what was generated, in means: length_bias, reward_bias, difficulty_bias,
/// and the means themselves.
void add_bias(run_figures &run, const std::map<std::int64_t, double> &difficulty);

}  // namespace slipstream

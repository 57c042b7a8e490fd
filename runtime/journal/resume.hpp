#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/journal/history.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/schedule/ledger.hpp"
#include "runtime/schedule/path_book.hpp"
#include "runtime/schedule/schedule_controller.hpp"
#include "runtime/schedule/shared_batches.hpp"

namespace slipstream {

/// Where an interrupted run goes on: each learner's newest whole checkpoint, and what the journal holds
/// beyond them.
struct resume_point {
  std::map<std::string, std::filesystem::path> checkpoints;  ///< by learner; none: from the initial weights
  run_history history;
};

/// None when the folder holds no journal, or one without a record: the run never began. With an exact lag it
/// is the newest checkpoint from which all weights will be made again that prompts still need. `learners` are
/// the topology's, the main one first; those of `together` go on from the same version. Throws input_error
/// when the journal is damaged.
std::optional<resume_point> find_resume_point(const run_paths &paths,
                                              const std::vector<learner_path> &learners,
                                              bool exact_lag = false,
                                              const std::set<std::string> &together = {},
                                              std::int64_t checkpoint_every = 0);

/// Throws input_error naming the first difference when the folder's topology is not `resolved`, whatever
/// names an earlier release gave its keys.
void require_same_topology(const run_paths &paths, const std::string &resolved);

/// The books (with batches of `batch` rollouts), the buffer of a path and the prompts that are sampled again
/// or further, as the run left them.
ledger restored_books(ledger empty, std::int64_t batch, const run_history &history);
path_book restored_paths(const run_history &history);
shared_batches restored_buffer(order_buffer empty, const run_history &history, const std::string &path = "");
std::map<std::uint64_t, std::int64_t> waiting_again(const run_history &history);  ///< with their min_version
std::map<std::uint64_t, begun_samples> begun_again(const run_history &history);   ///< those that are partial
std::map<std::uint64_t, std::map<std::string, std::int64_t>> model_versions_again(const run_history &history);
/// The groups that `path` has heard of already, though their prompts wait again for another one's sake.
std::set<std::uint64_t> heard_before(const run_history &history, const std::string &path);

/// The schedule's numbers as the run left them; `metrics` are the updates up to the checkpoint.
schedule_controller restored_controller(schedule_controller controller, const run_history &history,
                                        const std::filesystem::path &metrics);

/// Cuts metrics.jsonl, or an evaluator's lines, behind the line of `version`; the lines of later versions are
/// written again.
void cut_metrics(const std::filesystem::path &metrics, std::int64_t version);

/// The lines of such a file in the order of their versions, of each version the last; empty without a file.
nlohmann::json read_by_version(const std::filesystem::path &file);

}  // namespace slipstream

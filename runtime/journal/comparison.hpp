#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/arithmetic/number.hpp"
#include "runtime/journal/events.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// A replay beside the run that it repeats: figures of every update, and the weights, by the fingerprints of
/// the journal and by every checkpoint that is there.
class replay_comparison {
 public:
  /// `learner` names the learner, whose figures and checkpoints the run has in `metrics` and `checkpoints`.
  /// `weights`: they should be the run's own, as nothing was changed.
  replay_comparison(const std::filesystem::path &metrics, std::filesystem::path checkpoints,
                    std::string learner, bool weights);

  void read(const journal_record &record);
  void made(const trained_version &version, const trainer &core);

  std::int64_t updates_told() const { return static_cast<std::int64_t>(run_.size()); }
  /// All that could be compared was equal, and there was something to compare.
  bool equal() const;
  /// Whether some of the run was computed by another arithmetic than this program's: then weights are
  /// compared by checkpoints alone, and are equal within 1 % of each tensor's greatest magnitude.
  bool other_arithmetic() const { return arithmetic_ != arithmetic_number; }
  /// {"updates_compared": [{"update", "run", "replayed"}], "metrics": {"run", "replayed"} of the last update,
  /// "checkpoints_compared", "fingerprints_compared", "equal" and "first_difference" where they are known,
  /// and "other_arithmetic" {"run", "here", "largest_difference"} where it was another}.
  nlohmann::json result() const;

 private:
  struct difference {
    std::int64_t version = 0;
    std::string tensor;
  };
  void differs(std::int64_t version, const std::string &tensor);
  void compare(std::int64_t version);

  std::filesystem::path checkpoints_folder_;
  std::string learner_;
  bool weights_;
  std::map<std::int64_t, nlohmann::json> run_, replayed_;           ///< figures by update
  std::map<std::int64_t, std::vector<std::uint32_t>> told_, made_;  ///< fingerprints by version
  std::vector<std::string> tensors_;
  std::optional<difference> first_;
  std::int64_t checkpoints_ = 0, fingerprints_ = 0;
  std::int64_t arithmetic_ = 1;  ///< the lowest of the run's parts
  bool opened_ = false;          ///< the run began just now, and has not said its arithmetic
  double largest_difference_ = 0;
};

/// Rows of `updates_compared` as a table: each figure that differs anywhere, the run's beside the replay's,
/// and a line that names the others; of a long run about `rows` updates, the first and the last among them.
std::string comparison_table(const nlohmann::json &updates_compared, std::size_t rows = 20);

}  // namespace slipstream

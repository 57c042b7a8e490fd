#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "runtime/journal/journal.hpp"
#include "runtime/journal/other_order.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// Who takes part in a replay; each may be empty.
struct replay_listeners {
  std::function<void(const journal_record &)> read;                  ///< every record, before it is acted on
  std::function<void(const std::vector<sample_group_ptr> &)> meets;  ///< a batch, before it is trained on
  std::function<void(const trained_version &)> made;
  /// Not told but asked: the demonstrations that the learner gets beside the batch of its version.
  std::function<std::vector<sample_group_ptr>(std::int64_t version)> demonstrations{};
};

/// Trains a critic that learns by V-trace, beside the main learner whose versions it needs: `core` on the
/// batches of `learner`, `main` on those of the main learner. As replay_journal otherwise.
std::optional<journal_damage> replay_beside(const std::filesystem::path &journal, trainer &core,
                                            const std::string &learner, trainer &main,
                                            std::shared_ptr<const transformer> initial, std::int64_t until,
                                            const replay_listeners &listeners);

/// Trains `core` on the batches that a journal says `learner` (empty: the main one) consumed, in that order
/// (or in `order`), until it has made `until` versions (0: all). Returns where the journal is damaged, if it
/// is. Throws run_error when a batch names a group that the journal does not hold.
std::optional<journal_damage> replay_journal(const std::filesystem::path &journal, trainer &core,
                                             std::int64_t until, const replay_listeners &listeners,
                                             other_order *order = nullptr, const std::string &learner = "");

/// The first tensor of `model` that differs, in any bit, from a checkpoint's; empty when none does.
std::string first_difference(const transformer &model, const std::filesystem::path &checkpoint);

/// The tensor of `model` that differs most from a checkpoint's, and by how much: a share of the tensor's
/// greatest magnitude.
std::pair<std::string, double> largest_difference(const transformer &model,
                                                  const std::filesystem::path &checkpoint);

/// SHA-256 of a file, in hexadecimal digits.
std::string file_sha256(const std::filesystem::path &file);

}  // namespace slipstream

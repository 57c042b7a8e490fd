#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "runtime/journal/journal.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// Trains each learner's trainer on the batches of a journal, in the order they were consumed, until it has made
/// `until` versions (0: all). `made` hears of every version and whose it is. Returns where the journal is damaged,
/// if it is. Throws run_error when a batch names a group that the journal does not hold.
std::optional<journal_damage> replay_journal(
    const std::filesystem::path &journal, const std::map<std::string, trainer *> &learners, std::int64_t until,
    const std::function<void(const std::string &, const trained_version &)> &made);

/// The first tensor of `model` that differs, in any bit, from a checkpoint's; empty when none does.
std::string first_difference(const transformer &model, const std::filesystem::path &checkpoint);

/// SHA-256 of a file, in hexadecimal digits.
std::string file_sha256(const std::filesystem::path &file);

}  // namespace slipstream

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// A learner and its path, which is named after the actor that gives it samples. Learners of one path train
/// on the same batches in the same order.
struct learner_path {
  std::string learner;
  std::string path;
};

/// Which learners have trained on which groups. A group goes down every path. It is trained once every
/// learner whose path did not drop it has trained on it, and it is dropped once all paths have dropped it.
/// Pure.
class path_book {
 public:
  /// What an event means for the ledger. Where several things follow, they follow in this order.
  struct outcome {
    bool buffered = false;  ///< the first path has kept it
    bool excused = false;   ///< the main learner will not train on it, though another one may
    bool trained = false;
    bool dropped = false;
    bool forfeited = false;  ///< dropped, though it had its place in a batch of the main learner
  };
  enum class path_state : std::uint8_t { open, kept, dropped };
  using outcomes = std::vector<std::pair<std::uint64_t, outcome>>;

  /// One learner, without names.
  path_book() : path_book(std::vector<learner_path>{{"", ""}}) {}
  /// The first learner is the main one, whose updates the run counts.
  explicit path_book(const std::vector<learner_path> &learners);

  outcome keep(const std::string &path, std::uint64_t id);
  outcome drop(const std::string &path, std::uint64_t id);
  outcome train(const std::string &learner, std::uint64_t id);
  /// The learner got the group and left it untrained, because a guard tripped.
  outcome skip(const std::string &learner, std::uint64_t id);
  /// The learner has ended and trains on nothing more. Events of a path without another learner are ignored.
  outcomes retire(const std::string &learner);
  /// Restores a group that was in flight when the run was interrupted: what its paths had done with it, and
  /// which learners had trained on it.
  void restore(std::uint64_t id, const std::map<std::string, path_state> &paths,
               const std::set<std::string> &trained, const std::set<std::string> &skipped, bool booked);

  bool is_main(const std::string &learner) const { return learner == learners_.front().name; }
  /// Whether there is only one path.
  bool single_path() const { return paths_.size() == 1; }
  void write_state(state_text &text) const;

 private:
  enum class step : std::uint8_t { none, trained, skipped };
  struct entry {
    std::vector<path_state> paths;
    std::vector<step> steps;  ///< by learner
    bool booked = false;      ///< as buffered
  };
  struct listener {
    std::string name;
    std::size_t path = 0;
    bool retired = false;
  };

  entry &find(std::uint64_t id);
  outcome took(const std::string &learner, std::uint64_t id, step taken);
  std::size_t path_of(const std::string &name) const;
  bool listens(std::size_t path) const;
  void settle(std::uint64_t id, outcome &result);

  std::vector<std::string> paths_;
  std::vector<listener> learners_;
  std::map<std::uint64_t, entry> open_;
};

}  // namespace slipstream

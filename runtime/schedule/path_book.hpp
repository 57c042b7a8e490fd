#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// A learner and the path it learns from: the actor that gives it samples. Learners of one path train on the
/// same batches in the same order.
struct learner_place {
  std::string learner;
  std::string path;
};

/// Which learners have trained on which groups. A group goes down every path; it is trained once every
/// learner has stepped with it whose path did not drop it, and dropped once all paths dropped it. Pure.
class path_book {
 public:
  /// What a piece of news means for the ledger; in this order, where there are several.
  struct outcome {
    bool buffered = false;  ///< the first path has kept it
    bool excused = false;   ///< the main learner will not train on it, though another one may
    bool trained = false;
    bool dropped = false;
    bool forfeited = false;  ///< dropped, though it had its place in a batch of the main learner
  };
  enum class course : std::uint8_t { open, kept, dropped };
  using outcomes = std::vector<std::pair<std::uint64_t, outcome>>;

  /// One learner, without names.
  path_book() : path_book(std::vector<learner_place>{{"", ""}}) {}
  /// The first learner is the main one, whose updates the run counts.
  explicit path_book(const std::vector<learner_place> &learners);

  outcome keep(const std::string &path, std::uint64_t id);
  outcome drop(const std::string &path, std::uint64_t id);
  outcome train(const std::string &learner, std::uint64_t id);
  /// The learner was given it and left it untrained (a brake).
  outcome skip(const std::string &learner, std::uint64_t id);
  /// The learner has ended and will train on nothing more; news from its path alone is not listened to.
  outcomes retire(const std::string &learner);
  /// Where an earlier part of the run left a group in flight: what its paths did, and who had trained on it.
  void restore(std::uint64_t id, const std::map<std::string, course> &paths,
               const std::set<std::string> &trained, const std::set<std::string> &skipped, bool booked);

  bool is_main(const std::string &learner) const { return learner == learners_.front().name; }
  /// Whether news of all groups comes down one path only.
  bool single_path() const { return paths_.size() == 1; }
  void write_state(state_text &text) const;

 private:
  enum class step : std::uint8_t { none, trained, skipped };
  struct entry {
    std::vector<course> paths;
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

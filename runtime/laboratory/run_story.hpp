#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/journal/journal.hpp"

namespace slipstream {

/// The time that a run was at work, counted from its beginning: what lies between an interruption and the
/// resume is left out.
class run_clock {
 public:
  void begin_part(std::int64_t time_ns);
  void see(std::int64_t time_ns);  ///< something happened in the newest part
  /// Nanoseconds of work before `time_ns`, a time of the run's clock.
  std::int64_t at(std::int64_t time_ns) const;

 private:
  struct part {
    std::int64_t begin = 0, end = 0, before = 0;
  };
  std::vector<part> parts_;
};

/// One sampled answer (or line of a dataset) as a journal tells it.
struct answer_story {
  std::int64_t length = 0;                        ///< tokens of the answer
  double reward = 0;                              ///< NaN where there is none
  std::map<std::int64_t, std::int64_t> versions;  ///< tokens by the oldest weights that had a part in them
};

struct group_story {
  std::int64_t row = 0, epoch = 0;
  std::int64_t rollouts = 0;
  std::int64_t drawn_ns = 0, ready_ns = 0, consumed_ns = 0;  ///< of the run's clock
  std::int64_t ready_batches = 0;      ///< batches consumed before the group was ready to be
  std::int64_t version = 0;            ///< that it was consumed for; 0: it was not
  std::string dropped;                 ///< why; empty: it was not
  std::vector<answer_story> kept;      ///< as a learner sees them
  std::vector<answer_story> left_out;  ///< scored, and not shown to a learner

  bool trained() const { return version > 0 && dropped.empty(); }
};

/// One batch and the version that it made.
struct version_story {
  std::vector<std::uint64_t> ids;
  std::int64_t consumed_ns = 0, trained_ns = 0;  ///< of the run's clock; trained: the books knew of it, or a
                                                 ///< guard left the batch out
  std::int64_t oldest_open_ns = 0;  ///< how long the oldest prompt that was neither consumed nor dropped had
                                    ///< waited since its draw
};

/// A run as its journal tells it, resumes and repetitions put in order.
struct run_story {
  run_opened opened;
  run_clock clock;
  std::map<std::uint64_t, group_story> groups;     ///< by draw
  std::map<std::int64_t, version_story> versions;  ///< by the version made
};

/// Reads a run's journal. Throws input_error when there is none, or when it is damaged in the middle.
run_story read_run_story(const std::filesystem::path &journal);

}  // namespace slipstream

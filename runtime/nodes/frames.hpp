#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/messages.hpp"

// What an actor on a node and its proxy in the run's process say to each other, in our own bytes: CAF's
// serialiser damages floating-point numbers, and what comes from a network is checked before it is believed.
namespace slipstream {

// From the node.
struct credit_frame {
  std::int64_t prompts = 0, version = 0;
  bool near = false;  ///< weights come through the memory of the run's machine
};
/// A finished group; the rest of it is in the work that the proxy keeps.
struct rollouts_frame {
  std::uint64_t id = 0;
  std::vector<generation> rollouts;
  std::vector<std::string> texts;
};
struct scores_frame {
  std::uint64_t id = 0;
  std::string scorer, model;
  std::int64_t version = 0;
  std::vector<double> scores;
};
/// One number a token: log-probabilities, or a critic's values.
struct token_figures_frame {
  std::uint64_t id = 0;
  bool values = false;
  std::string model;
  std::int64_t version = 0;
  std::vector<std::vector<float>> figures;
};
struct journal_frame {
  std::string record;  ///< as encode(journal_record) writes it
};
/// Spans of computation that was done, by the node's clock, which read `clock_ns` when this was sent.
struct spans_frame {
  std::int64_t clock_ns = 0;
  std::vector<span> spans;
};
struct flushed_frame {
  std::vector<std::uint64_t> begun, untouched;
};
/// The actor has died. `input`: the fault lies in what the user gave, so starting it again would not help.
struct failed_frame {
  std::string text;
  bool input = false;
};

// From the run.
struct work_frame {
  work_ptr prompt;
};
struct group_frame {
  group_ptr group;
};
struct flush_frame {};

/// Goes both ways between a learner and one of its ranks, which know what it holds
/// (runtime/nodes/rank_frames.hpp).
struct rank_frame {
  std::string bytes;
};

using node_frame =
    std::variant<credit_frame, rollouts_frame, scores_frame, token_figures_frame, journal_frame, spans_frame,
                 flushed_frame, failed_frame, work_frame, group_frame, flush_frame, rank_frame>;

/// Estimates by how much our clock is ahead of a node's. A message shows the sum of that and of its own time
/// on the way, so the least sum of the last messages comes nearest.
class clock_shift {
 public:
  /// Takes in a message that was sent at `theirs_ns` and heard at `ours_ns`, and returns the estimate.
  std::int64_t learn(std::int64_t theirs_ns, std::int64_t ours_ns);

 private:
  std::deque<std::int64_t> last_;
};

/// Converts a node's spans to the run's terms: the actor's name in the run, and our clock, which reads
/// `now_ns`.
std::vector<span> spans_here(spans_frame frame, const std::string &label, clock_shift &clocks,
                             std::int64_t now_ns);

std::string encode_frame(const node_frame &frame);
/// Throws run_error for bytes that are no frame. Never allocates more than a small multiple of their number.
node_frame decode_frame(std::string_view bytes);

/// No message between processes is longer: a large one would hold up the signs of life behind it.
inline constexpr std::size_t longest_piece = std::size_t{1} << 20;
/// No frame is longer, in pieces or not.
inline constexpr std::size_t longest_frame = std::size_t{1} << 28;

/// Puts a frame together that came in pieces.
class frame_pieces {
 public:
  /// True when the frame is whole: take() it. Throws run_error when it gets longer than any frame may be.
  bool add(std::string_view piece, bool more);
  std::string take();

 private:
  std::string bytes_;
};

}  // namespace slipstream

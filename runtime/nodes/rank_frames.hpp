#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <variant>

#include "runtime/learning/rank_tasks.hpp"

// The messages between the leader of a learner's ranks and a rank in another process. Each travels in a
// rank_frame (runtime/nodes/frames.hpp), which does not know what it holds.
namespace slipstream {

// From the rank.
/// The rank has its weights, and waits for tasks.
struct rank_ready {};
/// The task is done, or it failed as `ended` and `text` say.
struct rank_done {
  enum class how : std::uint8_t { well, lost, input, run };
  how ended = how::well;
  std::string text;
};
/// A request to the meeting point (runtime/parallel/process_group.hpp), which is answered with the same
/// number.
struct meeting_request {
  std::uint64_t number = 0;
  std::string bytes;
};

// To the rank: tasks, and answers of the meeting point.
struct meeting_answer {
  std::uint64_t number = 0;
  std::string bytes;
};

using rank_message = std::variant<rank_ready, rank_done, meeting_request, meeting_answer, rank_task>;

/// Throws run_error for a target_task, which cannot travel.
std::string encode_rank_message(const rank_message &message);
/// Throws run_error for bytes that are no message. Never allocates more than a small multiple of their
/// number.
rank_message decode_rank_message(std::string_view bytes);

/// Turns the outcome of a task into what the rank says of it, and that back into an exception (null: none),
/// with `who` before its text.
rank_done done_with(const std::exception_ptr &problem);
std::exception_ptr problem_of(const rank_done &done, const std::string &who);

}  // namespace slipstream

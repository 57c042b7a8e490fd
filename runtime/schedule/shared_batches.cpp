#include "runtime/schedule/shared_batches.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "models/error.hpp"

namespace slipstream {
namespace {

std::int64_t oldest(const std::map<std::string, shared_batches::place> &learners) {
  auto version = std::numeric_limits<std::int64_t>::max();
  for (const auto &[name, place] : learners) version = std::min(version, place.version);
  return version;
}

}  // namespace

shared_batches::shared_batches(order_buffer groups, std::map<std::string, place> learners,
                               std::deque<batch> composed)
    : groups_(std::move(groups)),
      learners_(std::move(learners)),
      composed_(std::move(composed)),
      first_(oldest(learners_)) {}

std::optional<shared_batches::served> shared_batches::take(const std::string &learner, std::int64_t version) {
  const auto found = learners_.find(learner);
  if (found == learners_.end() || found->second.version != version)
    throw run_error("buffer: learner \"" + learner + "\" asked for the batch of version " +
                    std::to_string(version) + ", which is not its next one");
  if (version >= next()) return {};
  served result{composed_[static_cast<std::size_t>(version - first_)], version < found->second.consumed};
  ++found->second.version;
  for (const auto needed = oldest(learners_); first_ < needed; ++first_) composed_.pop_front();
  return result;
}

std::vector<std::uint64_t> shared_batches::compose() {
  auto offer = groups_.take(next());
  if (!offer.batch.empty()) keep(std::move(offer.batch));
  return offer.late;
}

void shared_batches::keep(std::vector<sample_group_ptr> groups) {
  composed_.push_back(std::make_shared<const std::vector<sample_group_ptr>>(std::move(groups)));
}

void shared_batches::write_state(state_text &text) const {
  text << first_;
  for (const auto &[name, place] : learners_) text << name << place.version << place.consumed;
  text.end();
  for (const auto &each : composed_) {
    for (const auto &group : *each)
      text << static_cast<std::int64_t>(group->id) << oldest_version(*group, -1);
    text.end();
  }
  groups_.write_state(text);
}

}  // namespace slipstream

#include "runtime/schedule/order_buffer.hpp"

#include <utility>

#include "models/error.hpp"

namespace slipstream {

order_buffer::order_buffer(order_row order, order_state settings, std::int64_t groups_per_batch)
    : order_(std::move(order)), settings_(settings), pool_(groups_per_batch) {}

batch_choice order_buffer::choose(std::int64_t version) const {
  auto state = settings_;
  state.version = version;
  auto choice = order_.choose(pool_, state);
  if (static_cast<std::int64_t>(choice.take.size()) > pool_.groups_per_batch())
    throw run_error("order \"" + order_.name + "\" chose " + std::to_string(choice.take.size()) +
                    " groups for a batch of " + std::to_string(pool_.groups_per_batch()));
  return choice;
}

buffer_offer order_buffer::take(std::int64_t version) {
  buffer_offer offer;
  auto choice = choose(version);
  for (const auto id : choice.late) pool_.drop(id);
  offer.late = std::move(choice.late);
  if (static_cast<std::int64_t>(choice.take.size()) == pool_.groups_per_batch())
    offer.batch = pool_.take(choice.take);
  return offer;
}

std::int64_t order_buffer::short_batch(std::int64_t version, std::int64_t least) const {
  auto state = settings_;
  state.version = version;
  const auto choice = order_.choose(pool_, state);
  const auto groups = static_cast<std::int64_t>(choice.take.size());
  return groups >= least && may_go_short(order_, pool_, state, choice) ? groups : 0;
}

std::vector<sample_group_ptr> order_buffer::take_short(std::int64_t version) {
  return pool_.take(choose(version).take);
}

void order_buffer::write_state(state_text &text) const {
  text << settings_.window;
  for (const auto &[id, group] : pool_.in_flight())
    text << static_cast<std::int64_t>(id) << group.min_version << group.oldest << group.ready()
         << pool_.overtaken_by(id);
  text.end().all(pool_.by_arrival()).all(pool_.consumed_ids());
}

}  // namespace slipstream

#include "actors/loader.hpp"

#include <caf/all.hpp>

#include "actors/failure.hpp"

namespace slipstream {
drawn make_drawn(const loader_setup &setup, const drawn_row &next) {
  auto line = std::make_shared<example>(setup.rows[static_cast<std::size_t>(next.row)]);
  line->id = next.id;
  line->epoch = next.epoch;
  drawn result;
  if (setup.form) {
    auto samples = example_samples(*line, *setup.form, setup.style);
    if (setup.limit > 0) shorten(samples, setup.limit, *setup.form != example_form::demonstration);
    result.samples = std::make_shared<const sample_group>(std::move(samples));
  } else {
    result.prompt_tokens = prompt_tokens(*line, setup.style);
    const auto surplus = static_cast<std::int64_t>(result.prompt_tokens.size()) - setup.limit;
    if (setup.limit > 0 &&
        surplus > 0)  // the end of a prompt says more of what comes next than its beginning
      result.prompt_tokens.erase(result.prompt_tokens.begin(), result.prompt_tokens.begin() + surplus);
  }
  result.source = std::move(line);
  return result;
}

namespace {

struct loader_state {
  static inline const char *name = "loader";
  std::optional<loader_setup> setup;
};

loader_actor::behavior_type loader_behavior(loader_actor::stateful_pointer<loader_state> self,
                                            const loader_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  return {
      [self](draw_atom, std::int64_t count) -> drawn_batch_ptr {
        auto lines = std::make_shared<std::vector<drawn>>();
        auto &kept = *self->state.setup;
        for (std::int64_t i = 0; i < count; ++i) lines->push_back(make_drawn(kept, kept.order.next()));
        return lines;
      },
      [self](draw_atom, const ids_ptr &ids) -> drawn_batch_ptr {
        auto lines = std::make_shared<std::vector<drawn>>();
        auto &kept = *self->state.setup;
        for (const auto id : *ids) lines->push_back(make_drawn(kept, kept.order.at(id)));
        return lines;
      },
  };
}

}  // namespace

loader_actor spawn_loader(caf::actor_system &system, loader_setup setup) {
  return system.spawn(loader_behavior, std::move(setup));
}

}  // namespace slipstream

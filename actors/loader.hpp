#pragma once

#include <caf/fwd.hpp>

#include <memory>
#include <optional>
#include <vector>

#include "actors/interfaces.hpp"
#include "runtime/data/cursor.hpp"
#include "runtime/learning/samples.hpp"

namespace slipstream {

struct loader_setup {
  std::vector<example> rows;
  cursor order;
  text_style style;
  std::optional<example_form> form;  ///< training data for a learner; none: prompts for samplers
  std::int64_t limit = 0;            ///< tokens, to which longer lines are cut; 0: none is longer
};

/// A line as it is drawn, tokenised.
drawn make_drawn(const loader_setup &setup, const drawn_row &next);

/// Answers demands for n lines more, or for lines drawn before by their ids, tokenised.
loader_actor spawn_loader(caf::actor_system &system, loader_setup setup);

}  // namespace slipstream

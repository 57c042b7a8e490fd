#pragma once

#include <caf/fwd.hpp>

#include <memory>
#include <optional>
#include <vector>

#include "actors/interfaces.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "runtime/data/cursor.hpp"
#include "runtime/learning/samples.hpp"

namespace slipstream {

struct loader_setup {
  std::vector<example> rows;
  cursor order;
  std::shared_ptr<const tokenizer> text;
  std::optional<example_form> form;  ///< training data for a learner; none: prompts for samplers
};

/// Answers demands for n lines more, or for lines drawn before by their ids, tokenised.
loader_actor spawn_loader(caf::actor_system &system, loader_setup setup);

}  // namespace slipstream

#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/objectives/table.hpp"
#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

/// `weights` = { correct = 1.0, length = -0.1 }: how much each scorer counts.
using scorer_weights = std::map<std::string, double>;
scorer_weights read_weights(settings &s, const actor_config &config);

/// A kind that makes samples from a group's figures; every port of `needs` must be connected.
kind_row joiner(std::string name, std::string summary, std::vector<std::string> accepts,
                std::vector<std::string> needs);

/// What happens to groups whose answers all have advantage 0.
enum class zero_advantage_groups { skip, keep, refill };

/// The keys of an advantage of the table (models/objectives/table.hpp).
struct advantage_keys {
  const advantage_row *row = nullptr;
  scorer_weights weights;
  zero_advantage_groups alike = zero_advantage_groups::skip;
  std::int64_t give_up_after = 20;  ///< batches without a sample; 0: never
};

/// The keys of pairs.
struct pairs_keys {
  scorer_weights weights;
  std::int64_t give_up_after = 20;
};

std::vector<kind_row> advantage_rows_of_table();
kind_row pairs_row();

}  // namespace slipstream

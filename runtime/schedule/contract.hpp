#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/schedule/orders.hpp"
#include "runtime/schedule/rules.hpp"

namespace slipstream {

/// What a schedule promises, and what follows from it.
struct staleness_contract {
  std::optional<std::int64_t>
      bound;             ///< the largest age of a token, in versions, when it is trained on; none: no promise
  schedule_number lead;  ///< versions that the sampler may run ahead, as the run begins and later
  std::int64_t late_after = 0;  ///< versions: the deadline of a group
  std::string why;              ///< how the lead follows from the promise
};

/// A contradiction in [schedule]: which key, and what to write instead.
struct contract_fault {
  std::string key;
  std::string message;
};

/// Derives the admission lead that keeps max_staleness in `order`, with batches of `groups_per_batch` groups
/// of `group` rollouts; or names the key that makes the schedule impossible.
struct contract_result {
  staleness_contract contract;
  std::optional<contract_fault> fault;
};
contract_result derive_contract(const schedule_rules &rules, const order_row &order, std::int64_t group);

}  // namespace slipstream

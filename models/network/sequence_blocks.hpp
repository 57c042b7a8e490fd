#pragma once

#include <cstdint>
#include <vector>

namespace slipstream {

/// Rows of queries [heads,head_dim], keys and values [kv_heads,head_dim], dense.
struct attention_rows {
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
};

/// Consecutive rows of one sequence, which follow the tokens of `prefix`: rows that several sequences begin
/// with.
struct attended_run {
  struct row_range {
    std::int64_t first = 0, count = 0;
  };
  std::int64_t first = 0, count = 0;
  row_range prefix{};
};

/// Causal attention of each run's rows, out[row] like q: over the prefix and the run itself, the last
/// `window` tokens of them (0: all). A row has the bits that arithmetic::attend gives it in any other
/// arrangement of its sequence.
void attend_runs(const attention_rows &rows, const std::vector<attended_run> &runs, std::int64_t window,
                 float *out);

}  // namespace slipstream

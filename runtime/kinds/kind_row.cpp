#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

kind_table ports_of(const kind_rows &rows) {
  kind_table result;
  for (const auto &[name, row] : rows) result.emplace(name, row.ports);
  return result;
}

}  // namespace slipstream

#include "runtime/kinds/kinds.hpp"

namespace slipstream {

const kind_rows &builtin_kinds() {
  static const kind_rows kinds = [] {
    kind_rows result;
    for (const auto rows : {
#define SLIPSTREAM_ROWS(name) name##_rows,
             SLIPSTREAM_KINDS(SLIPSTREAM_ROWS)
#undef SLIPSTREAM_ROWS
         })
      for (auto &row : rows()) result.emplace(row.name, row);
    return result;
  }();
  return kinds;
}

const order_table &builtin_orders() {
  static const order_table orders = [] {
    order_table result;
    for (const auto &row : order_rows()) result.emplace(row.name, row);
    return result;
  }();
  return orders;
}

}  // namespace slipstream

#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "models/templates/arguments.hpp"

namespace slipstream::jinja {

/// A for loop under way, which is also what its body calls `loop`.
struct loop_object : object {
  std::vector<value> items;
  std::size_t next = 0;                         ///< of the items, the first that was not looked at
  std::function<bool(const value &)> passes;    ///< the loop's "if"; empty when it has none
  std::function<value(const value &)> recurse;  ///< of a recursive loop
  std::int64_t index0 = -1, depth0 = 0, length = -1;
  value before, current, after, changed_from;  ///< absent when there is none

  /// Goes to the next item; false at the end.
  bool step();
  /// Lets go of all that it holds, itself perhaps.
  void finish();

  const value &peek();   ///< the next item, absent at the end
  std::int64_t count();  ///< of all items

 private:
  value fetch();
};

/// What `loop.NAME` is; absent when a loop has no such field.
value loop_field(const value &of, std::string_view name);

value loop_cycle(const loop_object &of, const arguments &given);
value loop_changed(loop_object &of, const arguments &given, budget &spending);

}  // namespace slipstream::jinja

#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/feedback/database.hpp"

namespace slipstream {

/// Every row of the book, as {"table": NAME, COLUMN: VALUE, …}; what people hold now is not part of it.
/// Names, times and fits stand in it: whoever may read it may know them.
void write_own_lines(const database &from, const std::function<void(const nlohmann::ordered_json &)> &write);
/// Puts one such row in; false where the book has it already. Throws input_error saying what is wrong with
/// it.
bool read_own_line(database &to, const nlohmann::ordered_json &line);

}  // namespace slipstream

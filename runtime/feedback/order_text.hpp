#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/feedback/book.hpp"

namespace slipstream {

/// "2 0 1" and back. Throws input_error where the text is no order of its numbers.
std::string text_of_order(const std::vector<std::size_t> &order);
std::vector<std::size_t> order_of(const std::string &text);

/// Throws input_error naming what is wrong with a question: its id, number of answers, probability, people or
/// gold verdict.
void check_question(const question &asked);
/// Throws input_error for a verdict that the question's form does not have.
void check_verdict(const question &asked, const std::string &verdict);

}  // namespace slipstream

#pragma once

#include "models/templates/budget.hpp"
#include "models/templates/syntax.hpp"

namespace slipstream::jinja {

/// Python's ==.
bool equal(const value &left, const value &right, budget &spending);

/// Less than, equal or greater: -1, 0, 1. Throws complaint where Python has no order.
int order(const value &left, const value &right, budget &spending);

/// Python's `item in container`.
bool contains(const value &container, const value &item, budget &spending);

bool compare(const value &left, comparison how, const value &right, budget &spending);

/// Whether Python can hash it.
bool can_be_key(const value &of);

/// A hash under which equal keys are equal; throws complaint for what cannot be a key.
std::size_t hash_of(const value &key);

}  // namespace slipstream::jinja

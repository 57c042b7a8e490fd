#pragma once

#include "models/templates/syntax.hpp"

namespace slipstream::jinja {

/// Finds, for every body with a scope of its own, the names that are set in it before they are read and are
/// not known outside. jinja2 decides when it compiles that such a name is undefined until then, also for the
/// bodies within, even if an input is called so.
void find_hidden_names(program &of);

}  // namespace slipstream::jinja

#include "models/templates/arguments.hpp"

#include <algorithm>

namespace slipstream::jinja {

bound::bound(const char *what, const arguments &given, std::initializer_list<const char *> names,
             std::size_t required)
    : what_(what) {
  std::copy(names.begin(), names.end(), names_.begin());
  if (given.positional.size() > names.size())
    throw complaint(std::string(what) + " takes at most " + std::to_string(names.size()) + " arguments");
  for (std::size_t i = 0; i < given.positional.size(); ++i) values_.at(i) = &given.positional[i];
  for (const auto &[name, content] : given.named) {
    const auto *found = std::find(names.begin(), names.end(), name);
    const auto at = static_cast<std::size_t>(found - names.begin());
    if (found == names.end() || values_.at(at))
      throw complaint(std::string(what) + " takes no argument \"" + name + "\", or not twice");
    values_.at(at) = &content;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (!values_.at(i)) throw complaint(std::string(what) + " needs its argument \"" + names_.at(i) + "\"");
}

void bound::wrong(std::size_t at, const char *wanted) const {
  throw complaint(std::string(what_) + ": the argument \"" + names_.at(at) + "\" must be " + wanted +
                  ", not " + type_name(*values_.at(at)));
}

std::string_view bound::text(std::size_t at, std::string_view otherwise) const {
  if (!values_.at(at)) return otherwise;
  if (!values_.at(at)->is_text()) wrong(at, "a string");
  return values_.at(at)->text();
}

std::int64_t bound::integer(std::size_t at, std::int64_t otherwise) const {
  if (!values_.at(at)) return otherwise;
  if (!values_.at(at)->is_whole()) wrong(at, "an int");
  return values_.at(at)->integer();
}

bool bound::flag(std::size_t at, bool otherwise) const {
  return values_.at(at) ? truth(*values_.at(at)) : otherwise;
}

}  // namespace slipstream::jinja

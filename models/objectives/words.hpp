#pragma once

#include <string>
#include <string_view>

#include "models/error.hpp"

namespace slipstream {

/// One spelling of an enumeration's value, as a configuration writes it.
template <class T>
struct word {
  std::string_view name;
  T value;
};

/// The value that `name` spells; throws input_error listing the spellings there are.
template <class T, std::size_t N>
T find_word(const word<T> (&words)[N], std::string_view what, std::string_view name) {
  std::string known;
  for (const auto &w : words) {
    if (w.name == name) return w.value;
    known += (known.empty() ? "" : ", ") + std::string(w.name);
  }
  throw input_error("unknown " + std::string(what) + " \"" + std::string(name) + "\": choose one of " +
                    known);
}

template <class T, std::size_t N>
std::string_view word_of(const word<T> (&words)[N], T value) {
  for (const auto &w : words)
    if (w.value == value) return w.name;
  return {};
}

}  // namespace slipstream

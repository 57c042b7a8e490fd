#pragma once

namespace slipstream {

/// Of several functions the one that fits, for std::visit.
template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;  // Clang deduces it by itself from 17 on

}  // namespace slipstream

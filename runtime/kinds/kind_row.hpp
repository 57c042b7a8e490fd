#pragma once

#include <functional>
#include <map>
#include <string>

#include "runtime/topology/check.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// The part of a kind of actor that needs no tensor.
struct kind_row {
  std::string name;
  std::string summary;
  kind_ports ports;
  bool placeable = false;  ///< may run on a node
  /// Reads an actor's keys and stores them in the config, together with the defaults and with the facts that
  /// others may need. Throws input_error.
  std::function<void(actor_config &)> read{};
};

/// By name.
using kind_rows = std::map<std::string, kind_row>;

kind_table ports_of(const kind_rows &rows);

/// The reader of a kind whose keys are a struct that no other actor reads.
template <class Keys>
std::function<void(actor_config &)> reader(Keys (*read)(settings &, const actor_config &),
                                           void (*tell)(const Keys &, actor_facts &) = nullptr) {
  return [=](actor_config &config) {
    auto s = config.settings();
    auto keys = read(s, config);
    s.finish();
    config.node = s.resolved();
    if (tell) tell(keys, config.facts);
    config.keys.set(std::move(keys));
  };
}

/// The reader of a kind whose keys are a struct with `Keys read(settings &)` and `void tell(Keys, actor_facts
/// &)`.
template <class Keys>
std::function<void(actor_config &)> reader(Keys (*read)(settings &),
                                           void (*tell)(const Keys &, actor_facts &)) {
  return [=](actor_config &config) {
    auto s = config.settings();
    auto keys = read(s);
    s.finish();
    config.node = s.resolved();
    tell(keys, config.facts);
    config.keys.set(std::move(keys));
  };
}

}  // namespace slipstream

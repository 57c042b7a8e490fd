#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/wire/endpoint.hpp"

namespace slipstream {

/// A node that passes a model's weights on.
struct relay_node {
  std::string node;
  std::string machine;  ///< machine_key() there: nodes with the same one share memory
  endpoint address;     ///< where others take from it
};

/// Whom each of these nodes asks for weights, nearest first; after them, and where the list is empty, the
/// run. The first node of a machine gets a position in a tree (each serves at most `fanout`; 1: a chain), the
/// others of the machine take from it. In the order of coming: whoever comes later is never asked by one who
/// came before, so lists that arrive late cannot close a ring.
std::vector<std::vector<endpoint>> relay_parents(const std::vector<relay_node> &relays, std::int64_t fanout);

/// The same text in two processes that can share memory: this machine since its start, and the network
/// namespace, in which local sockets are found.
std::string machine_key();

}  // namespace slipstream

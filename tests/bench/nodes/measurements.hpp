#pragma once

#include <string>

#include "tests/bench/nodes/ends.hpp"

// What the benchmark `nodes` measures. Each prints its lines; figures to be compared are taken in turns.
namespace slipstream::bench {

/// A line of the table: time, rate, and what it compares to.
void show(const std::string &what, double seconds, double megabytes, const std::string &more = "");

/// Shared memory against memcpy, a stream against a bare socket.
void one_receiver(arguments chosen);
/// What a receiver needs beside its weights.
void receiver_memory(arguments chosen);
/// Eight receivers on loopback: eight sends from one, trees, a chain.
void broadcast_here(const arguments &chosen);
/// The same over TLS, each behind a link of 100 Mbit/s; left out where there can be no network namespaces.
void broadcast_over_links(arguments chosen);
/// How long a message of the actors and its answer take, alone and beside a transfer at full rate.
void control_messages(arguments chosen);
/// What passes through the run's one process costs there: messages, journal, ledger and buffer.
void central_costs(const arguments &chosen);

/// The two ends of that: a run's process (weights and an actor that answers) and a node's.
int control_run(const arguments &chosen);
int control_node(const arguments &chosen);
/// Nothing but a core in use.
int spin();

}  // namespace slipstream::bench

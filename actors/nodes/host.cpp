#include "actors/nodes/host.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <caf/all.hpp>

#include <nlohmann/json.hpp>

#include "actors/nodes/links.hpp"
#include "actors/services.hpp"
#include "actors/stall.hpp"
#include "runtime/nodes/relay_tree.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

constexpr std::chrono::milliseconds beat{200};
constexpr std::chrono::seconds farewell{3};

struct known_node {
  node_config config;
  caf::actor peer;  ///< its node actor; null while it is away
  std::int64_t pid = 0;
  std::int64_t ended_pid = 0;  ///< the process that was ended because it hung
  std::int64_t away_since_ns = 0;
  std::int64_t look_again_ns = 0;  ///< until then an invitation is on its way
  bool connecting = false;
};

struct placed_replica {
  std::string actor, node;
  caf::actor proxy;
};

struct host_state {
  static inline const char *name = "nodes";
  host_setup setup;
  std::map<std::string, known_node> nodes;
  std::map<std::string, placed_replica> placed;
  std::map<std::string, std::vector<relay_node>> relays;  ///< by model, in the order of coming
  std::map<std::pair<std::string, std::string>, std::string>
      asked;  ///< by model and node: whom the node was told to ask
  bool ending = false;
  bool heard = false;  ///< whether a version of the learner was heard of
};

using host_pointer = caf::stateful_actor<host_state> *;

void write_processes(const host_state &state) {
  if (state.setup.processes.empty()) return;
  nlohmann::json processes{{state.setup.learner, ::getpid()}};
  for (const auto &[label, replica] : state.placed)
    if (const auto &node = state.nodes.at(replica.node); node.peer) processes[label] = node.pid;
  write_aside(state.setup.processes, processes.dump(2) + "\n");
}

void send_order(host_pointer self, const std::string &label) {
  auto &state = self->state;
  const auto &replica = state.placed.at(label);
  const auto &peer = state.nodes.at(replica.node).peer;
  if (!peer) return;  // it is sent when the node is there
  const auto &bytes = state.setup.orders.at(label);
  std::size_t done = 0;
  do {
    auto piece = bytes.substr(done, longest_piece);
    done += piece.size();
    self->send(peer, place_atom::value, label, replica.proxy, static_cast<std::uint8_t>(done < bytes.size()),
               std::move(piece));
  } while (done < bytes.size());
}

/// Why the node may not come in; empty when it may.
std::string objection(const host_state &state, const std::string &version, const std::string &name) {
  if (version != link_version)
    return "it speaks \"" + version + "\", this run \"" + link_version +
           "\"; use the same version of slipstream everywhere";
  if (state.nodes.count(name) == 0)
    return "[nodes." + name + "] is not in the topology of run " + state.setup.run;
  if (state.ending) return "the run is ending";
  return "";
}

/// Tells each node of a model's tree whom to ask for weights, if that has changed.
void send_parents(host_pointer self, const std::string &model) {
  auto &state = self->state;
  const auto &relays = state.relays[model];
  const auto parents = relay_parents(relays, state.setup.nodes.relay_fanout);
  for (std::size_t i = 0; i < relays.size(); ++i) {
    std::string lines;
    for (const auto &parent : parents[i]) lines += to_string(parent) + "\n";
    auto &asked = state.asked[{model, relays[i].node}];
    if (asked == lines) continue;
    asked = lines;
    self->send(state.nodes.at(relays[i].node).peer, parents_atom::value, model, lines);
  }
}

void forget_relays(host_pointer self, const std::string &node) {
  auto &state = self->state;
  for (auto &[model, relays] : state.relays) {
    state.asked.erase({model, node});
    if (std::erase_if(relays, [&](const auto &relay) { return relay.node == node; }) > 0)
      send_parents(self, model);
  }
}

void add_relay(host_pointer self, const std::string &model, const std::string &address,
               const std::string &machine) {
  auto &state = self->state;
  for (const auto &[name, node] : state.nodes) {
    if (!node.peer || self->current_sender() != caf::actor_cast<caf::strong_actor_ptr>(node.peer)) continue;
    auto &relays = state.relays[model];
    std::erase_if(relays, [name = name](const auto &relay) { return relay.node == name; });
    relays.push_back({name, machine, parse_endpoint(address, "the relay of node \"" + name + "\"")});
    send_parents(self, model);
  }
}

void welcome(host_pointer self, const std::string &version, const std::string &name, std::int64_t pid,
             const caf::actor &peer) {
  auto &state = self->state;
  if (const auto why = objection(state, version, name); !why.empty()) {
    state.setup.say(fmt::format("node \"{}\" was refused: {}", name.substr(0, 80), why));
    return self->send(peer, refuse_atom::value, why);
  }
  auto &node = state.nodes.at(name);
  if (node.peer == peer) return;
  if (node.peer) {
    self->demonitor(node.peer);
    forget_relays(self, name);
    self->send(node.peer, refuse_atom::value, "another process has come as node \"" + name + "\"");
  }
  node.peer = peer;
  node.pid = pid;
  self->monitor(peer);
  state.setup.say(fmt::format("node \"{}\" is here (process {})", name, pid));
  write_processes(state);
  for (const auto &[label, replica] : state.placed)
    if (replica.node == name) send_order(self, label);
}

void look_for(host_pointer self, const std::string &name) {
  auto &node = self->state.nodes.at(name);
  if (node.peer || node.connecting || node.config.address.empty()) return;
  if (now_ns(self) < node.look_again_ns) return;
  node.connecting = true;
  const auto address = parse_endpoint(node.config.address, "address");
  self->request(dialer(self->system(), address), longest_dial, caf::connect_atom::value)
      .then(
          [self, name](const caf::strong_actor_ptr &found) {
            auto &here = self->state.nodes.at(name);
            here.connecting = false;
            here.look_again_ns = now_ns(self) + dial_step / std::chrono::nanoseconds(1);
            if (found)
              self->send(caf::actor_cast<caf::actor>(found), invite_atom::value, self->state.setup.run,
                         caf::actor_cast<caf::actor>(self));
          },
          [self, name](const caf::error &) { self->state.nodes.at(name).connecting = false; });
}

/// An actor that has run nowhere for longer than the run's patience ends the run.
void check_patience(host_pointer self) {
  auto &state = self->state;
  const auto patience_ns = state.setup.nodes.patience_ms * 1'000'000;
  std::map<std::string, bool> runs;
  for (const auto &[label, replica] : state.placed) {
    const auto &node = state.nodes.at(replica.node);
    runs[replica.actor] |= node.peer || now_ns(self) - node.away_since_ns < patience_ns;
  }
  for (const auto &[label, replica] : state.placed) {
    if (runs.at(replica.actor)) continue;
    const auto &node = state.nodes.at(replica.node);
    self->send(replica.proxy, end_atom::value,
               fmt::format("node \"{}\" has not {} for {} s, and {} runs nowhere else; start it with "
                           "slipstream node --name {}",
                           replica.node, node.pid > 0 ? "come back" : "come", patience_ns / 1'000'000'000,
                           replica.actor, replica.node));
    return;
  }
}

/// Whether signals reach the node's process.
bool is_here(const host_state &state, const known_node &node) {
  return node.pid > 0 &&
         (state.setup.plain || (node.config.launch == "local" && node.config.address.empty()));
}

/// A process that hangs is ended; whoever looks after it starts it again.
void end_hung(host_pointer self, const std::string &label) {
  auto &state = self->state;
  const auto placed = state.placed.find(label);
  if (placed == state.placed.end()) return;
  auto &node = state.nodes.at(placed->second.node);
  if (!node.peer || std::exchange(node.ended_pid, node.pid) == node.pid) return;
  state.setup.say(fmt::format("node \"{}\" (process {}) is ended: {} does not move", placed->second.node,
                              node.pid, label));
  self->send(node.peer, hung_atom::value);
  if (is_here(state, node)) ::kill(static_cast<pid_t>(node.pid), SIGKILL);
}

/// Whether a process is a running child of this one.
bool runs_below_us(std::int64_t pid) {
  siginfo_t ended{};
  return pid > 0 && ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         ended.si_pid == 0;
}

/// A process that this one has started and that is silent, but does not end by itself, stands in the way of
/// the next one: a thread of it may hold a lock that the thread of its link waits for.
void end_silent(host_pointer self, const std::string &name, known_node &node) {
  if (node.peer || node.ended_pid == node.pid || !runs_below_us(node.pid)) return;
  node.ended_pid = node.pid;
  self->state.setup.say(fmt::format(
      "node \"{}\" (process {}) is ended: its process runs, but its link is lost", name, node.pid));
  ::kill(static_cast<pid_t>(node.pid), SIGKILL);
}

/// Those that have been away for as long as it takes to be taken for dead.
void end_silent_for_long(host_pointer self) {
  auto &state = self->state;
  const auto long_ago = now_ns(self) - state.setup.nodes.timeout_ms * 1'000'000;
  for (auto &[name, node] : state.nodes)
    if (node.away_since_ns < long_ago) end_silent(self, name, node);
}

/// Makes the mishaps that the topology asks for, to processes of this machine.
void make_trouble(host_pointer self, std::int64_t version) {
  auto &state = self->state;
  auto &events = state.setup.chaos;
  const bool before = !std::exchange(state.heard, true);  // what came before a resume is not repeated
  while (!events.empty() && events.front().update <= version) {
    const auto event = events.front();
    events.erase(events.begin());
    const auto found = state.placed.find(event.replica);
    if (found == state.placed.end() || (before && version > 0)) continue;
    const auto &node = state.nodes.at(found->second.node);
    if (!is_here(state, node)) continue;
    const int signal = event.what == chaos_event::action::kill   ? SIGKILL
                       : event.what == chaos_event::action::stop ? SIGSTOP
                                                                 : SIGCONT;
    state.setup.say(fmt::format("chaos: signal {} to {} (process {}) at update {}", signal, event.replica,
                                node.pid, version));
    ::kill(static_cast<pid_t>(node.pid), signal);
  }
}

void on_down(host_pointer self, const caf::down_msg &down) {
  auto &state = self->state;
  for (auto &[name, node] : state.nodes) {
    if (!node.peer || down.source != caf::actor_cast<caf::actor_addr>(node.peer)) continue;
    node.peer = nullptr;
    node.away_since_ns = now_ns(self);
    forget_relays(self, name);
    if (!state.ending) {
      state.setup.say(fmt::format("node \"{}\" (process {}) is gone", name, node.pid));
      write_processes(state);
    }
  }
  if (!state.ending) return;
  for (const auto &[name, node] : state.nodes)
    if (node.peer) return;
  self->quit();
}

void end(host_pointer self) {
  auto &state = self->state;
  if (std::exchange(state.ending, true)) return;
  bool any = false;
  for (const auto &[name, node] : state.nodes)
    if (node.peer) {
      any = true;
      self->send(node.peer, end_atom::value, "run " + state.setup.run + " has ended");
    }
  if (!any) return self->quit();
  self->delayed_send(self, farewell, end_atom::value);
}

void tick(host_pointer self) {
  auto &state = self->state;
  if (state.ending) return;
  for (const auto &[name, node] : state.nodes) look_for(self, name);
  end_silent_for_long(self);
  check_patience(self);
  self->delayed_send(self, beat, tick_atom::value);
}

caf::behavior host_behavior(host_pointer self, const host_setup &setup) {
  fail_with_text(self);
  auto &state = self->state;
  state.setup = setup;
  for (const auto &config : setup.nodes.members)
    state.nodes[config.name] = {.config = config, .away_since_ns = now_ns(self)};
  self->set_down_handler([self](const caf::down_msg &down) { on_down(self, down); });
  self->set_exit_handler([self](const caf::exit_msg &exit) {
    if (!exit.source || exit.source.node() == self->node()) end(self);  // nobody else may end it
  });
  drop_unknown(self);
  self->delayed_send(self, std::chrono::milliseconds(1), tick_atom::value);
  write_processes(state);
  return {
      [self](place_atom, const std::string &label, const std::string &actor, const std::string &node,
             const caf::actor &proxy) {
        self->state.placed[label] = {actor, node, proxy};
        write_processes(self->state);  // its node may be here already
        send_order(self, label);
      },
      [self](hello_atom, const std::string &version, const std::string &name, std::int64_t pid,
             const caf::actor &peer) { welcome(self, version, name, pid, peer); },
      [self](again_atom, const std::string &label, const std::string &why) {
        self->state.setup.say(label + " is started again: " + why);
        send_order(self, label);
      },
      [self](relay_atom, const std::string &model, const std::string &address, const std::string &machine) {
        try {
          add_relay(self, model, address, machine);
        } catch (const input_error &problem) {  // what a node says does not end the run
          self->state.setup.say(problem.what());
        }
      },
      [self](stalled_atom, const std::string &text) {
        self->state.setup.say(text);
        for (auto &[name, node] : self->state.nodes) end_silent(self, name, node);
        for (const auto &[label, replica] : self->state.placed)
          self->send(replica.proxy, stalled_atom::value, text);
      },
      [self](hung_atom, const std::string &label) { end_hung(self, label); },
      [self](lost_atom, const std::string &what) { self->state.setup.say(what); },
      [self](const snapshot_ptr &published) { make_trouble(self, published->version); },
      [self](tick_atom) { tick(self); },
      [self](end_atom) { self->quit(); },  // there are nodes that do not hang up
  };
}

}  // namespace

caf::actor spawn_node_host(caf::actor_system &system, const host_setup &setup) {
  return system.spawn(host_behavior, setup);
}

}  // namespace slipstream

#include "actors/nodes/worker.hpp"

#include <fmt/format.h>
#include <unistd.h>
#include <caf/all.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <cstdlib>
#include <memory>
#include <sstream>
#include <utility>

#include "actors/failure.hpp"
#include "actors/nodes/links.hpp"
#include "actors/nodes/session.hpp"
#include "actors/run.hpp"
#include "actors/services.hpp"
#include "runtime/nodes/relay_tree.hpp"
#include "runtime/wire/tunnel.hpp"

namespace slipstream {

/// News of the weight streams, from their own thread.
struct stream_news {
  std::optional<weight_version> arrived;
  std::string failed;
  std::uint64_t session = 0;
};
using stream_news_ptr = std::shared_ptr<const stream_news>;

}  // namespace slipstream

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(slipstream::stream_news_ptr)

namespace slipstream {
namespace {

constexpr std::chrono::milliseconds retry{250}, worker_beat{100};

struct worker_state {
  static inline const char *name = "node";
  const registry *kinds = nullptr;
  worker_options options;
  caf::actor run;  ///< the host of the run that it serves; null while it looks for one
  std::unique_ptr<node_session> session;
  std::uint64_t sessions = 0;
  std::map<std::string, frame_pieces> orders;  ///< by label, as they come in pieces
  std::int64_t alone_since_ns = 0;
  std::string no_link;  ///< why the last look for a run found none
  bool connecting = false, leaving = false;
};

using worker_pointer = caf::stateful_actor<worker_state> *;

/// Ends what was placed here; the run, if it comes back, addresses it anew.
void close_session(worker_pointer self) {
  auto &state = self->state;
  if (state.run) self->demonitor(state.run);
  state.run = nullptr;
  state.orders.clear();
  state.session.reset();
  state.alone_since_ns = now_ns(self);
}

void open_session(worker_pointer self, const caf::actor &run) {
  auto &state = self->state;
  close_session(self);
  state.no_link.clear();
  state.run = run;
  self->monitor(run);
  const auto inbox = caf::actor_cast<caf::actor>(self);
  const auto number = ++state.sessions;
  node_session::options how;
  how.node = state.options.name;
  how.threads = state.options.threads;
  how.security = state.options.link.security;
  how.patience_ms = state.options.patience_ms > 0 ? state.options.patience_ms : 60'000;
  if (state.options.join) how.run_host = state.options.join->host;
  how.own_host = state.options.join ? address_towards(*state.options.join) : state.options.listen->host;
  how.arrived = [inbox, number](weight_version version) {
    caf::anon_send(
        inbox,
        stream_news_ptr(std::make_shared<const stream_news>(stream_news{std::move(version), "", number})));
  };
  how.failed = [inbox, number](const std::string &why) {
    caf::anon_send(inbox, stream_news_ptr(std::make_shared<const stream_news>(stream_news{{}, why, number})));
  };
  how.relays = [self, run](const std::string &model, const endpoint &address) {
    self->send(run, relay_atom::value, model, to_string(address), machine_key());
  };
  state.session = std::make_unique<node_session>(self->system(), *state.kinds, std::move(how));
  self->send(run, hello_atom::value, link_version, state.options.name, static_cast<std::int64_t>(::getpid()),
             inbox);
}

void look_for_run(worker_pointer self) {
  auto &state = self->state;
  if (state.run || state.connecting || !state.options.join) return;
  state.connecting = true;
  self->request(dialer(self->system(), *state.options.join), longest_dial, caf::connect_atom::value)
      .then(
          [self](const caf::strong_actor_ptr &found) {
            self->state.connecting = false;
            if (found && !self->state.run) open_session(self, caf::actor_cast<caf::actor>(found));
          },
          [self](const caf::error &why) {
            self->state.connecting = false;
            self->state.no_link = failure_text(why);
          });
}

std::string where(const worker_options &options) {
  return options.join ? "no run at " + to_string(*options.join)
                      : "no run has come to " + to_string(*options.listen);
}

void tick(worker_pointer self) {
  auto &state = self->state;
  if (state.leaving) return;
  look_for_run(self);
  const auto alone_ms = (now_ns(self) - state.alone_since_ns) / 1'000'000;
  if (!state.run && state.options.patience_ms > 0 && alone_ms > state.options.patience_ms)
    throw run_error(fmt::format("node \"{}\": {} for {} s{}; it ends here", state.options.name,
                                where(state.options), alone_ms / 1000,
                                state.no_link.empty() ? "" : " (" + state.no_link + ")"));
  self->delayed_send(self, retry, tick_atom::value);
}

void take_order(worker_pointer self, const std::string &label, const caf::actor &proxy, bool more,
                const std::string &piece) {
  auto &state = self->state;
  if (!state.session || self->current_sender() != caf::actor_cast<caf::strong_actor_ptr>(state.run)) return;
  if (!state.orders[label].add(piece, more)) return;
  const auto order = decode_order(state.orders[label].take());
  if (order.label != label)
    throw run_error("an order for \"" + order.label + "\" came as one for \"" + label + "\"");
  state.session->place(order, proxy);
  for (const auto &uplink : state.session->uplinks()) self->monitor(uplink);
  state.options.say(fmt::format("node \"{}\": runs {}", state.options.name, label));
}

void ask(worker_pointer self, const std::string &model, const std::string &addresses) {
  auto &state = self->state;
  if (!state.session || self->current_sender() != caf::actor_cast<caf::strong_actor_ptr>(state.run)) return;
  std::vector<endpoint> parents;
  std::istringstream lines(addresses);
  for (std::string line; std::getline(lines, line);)
    parents.push_back(parse_endpoint(line, "weights for node \"" + state.options.name + "\""));
  state.session->ask(model, std::move(parents));
}

void on_down(worker_pointer self, const caf::down_msg &down) {
  auto &state = self->state;
  if (state.run && down.source == caf::actor_cast<caf::actor_addr>(state.run)) {
    close_session(self);
    if (!state.leaving)
      state.options.say(
          fmt::format("node \"{}\": the run is gone; waiting for it to come back", state.options.name));
    return;
  }
  if (state.session) state.session->forget(down.source);
  if (state.leaving && (!state.session || state.session->uplinks().empty())) self->quit();
}

/// Has each actor hand its work back; then this process may end.
void leave(worker_pointer self) {
  auto &state = self->state;
  if (std::exchange(state.leaving, true)) return;
  const auto uplinks = state.session ? state.session->uplinks() : std::vector<caf::actor>();
  if (uplinks.empty()) return self->quit();
  for (const auto &uplink : uplinks) self->send(uplink, leave_atom::value);
  self->delayed_send(self, std::chrono::seconds(10), leave_atom::value, true);
}

void take_news(worker_pointer self, const stream_news &news) {
  auto &state = self->state;
  if (!state.session || news.session != state.sessions) return;
  if (!news.arrived) throw run_error("node \"" + state.options.name + "\": no weights come: " + news.failed);
  state.session->take(*news.arrived);
}

void end(worker_pointer self, const std::string &why) {
  auto &state = self->state;
  state.options.say(fmt::format("node \"{}\": {}", state.options.name, why));
  close_session(self);
  if (state.options.join) self->quit();
}

caf::behavior worker_behavior(worker_pointer self, const registry *kinds, const worker_options &options) {
  fail_with_text(self);
  auto &state = self->state;
  state.kinds = kinds;
  state.options = options;
  state.alone_since_ns = now_ns(self);
  self->set_down_handler([self](const caf::down_msg &down) { on_down(self, down); });
  drop_unknown(self);
  self->set_exit_handler([self](const caf::exit_msg &exit) {
    if (!exit.source || exit.source.node() == self->node()) self->quit(exit.reason);
  });
  self->send(self, tick_atom::value);
  return {
      [self](invite_atom, const std::string &run, const caf::actor &host) {
        if (self->state.run == host || self->state.leaving) return;
        self->state.options.say(fmt::format("node \"{}\": run {} has come", self->state.options.name, run));
        open_session(self, host);
      },
      [self](refuse_atom, const std::string &why) {
        throw input_error("node \"" + self->state.options.name + "\": refused by the run: " + why);
      },
      [self](place_atom, const std::string &label, const caf::actor &proxy, std::uint8_t more,
             const std::string &piece) { take_order(self, label, proxy, more != 0, piece); },
      [self](parents_atom, const std::string &model, const std::string &addresses) {
        ask(self, model, addresses);
      },
      [self](const stream_news_ptr &news) { take_news(self, *news); },
      [self](end_atom, const std::string &why) { end(self, why); },
      [self](hung_atom) {
        if (self->current_sender() != caf::actor_cast<caf::strong_actor_ptr>(self->state.run)) return;
        self->state.options.say("node \"" + self->state.options.name +
                                "\": ended by the run: it does not move");
        std::_Exit(1);  // an orderly end would wait for what hangs
      },
      [self](tick_atom) { tick(self); },
      [self](leave_atom) { leave(self); },
      [self](leave_atom, bool) { self->quit(); },  // there is no more time to hand work back
  };
}

}  // namespace

int run_worker(const registry &kinds, const worker_options &options) {
  const linked_system linked([&](caf::actor_system_config &config) {
    configure(config);
    configure_links(config, options.link);
  });
  auto &system = *linked;
  caf::scoped_actor self{system};
  const auto node = system.spawn(worker_behavior, &kinds, options);
  self->monitor(node);
  if (options.listen) {
    const auto address = open_port(node, *options.listen);
    options.say(fmt::format("node \"{}\" listens at {}", options.name, to_string(address)));
  }
  caf::error reason;
  bool ended = false, told = false;
  // not caf::after, which is a time of the wall clock: set back by an hour, it would wait for an hour
  self->delayed_send(self, worker_beat, tick_atom::value);
  while (!ended)
    self->receive(
        [&](const caf::down_msg &down) {
          reason = down.reason;
          ended = true;
        },
        [&](tick_atom) {
          if (!told && options.interrupted && options.interrupted()) {
            told = true;
            self->send(node, leave_atom::value);
          }
          self->delayed_send(self, worker_beat, tick_atom::value);
        });
  if (reason == caf::sec::invalid_argument) throw input_error(failure_text(reason));
  if (reason && reason != caf::exit_reason::normal) throw run_error(failure_text(reason));
  return told ? 130 : 0;
}

}  // namespace slipstream

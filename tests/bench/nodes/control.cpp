#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "actors/nodes/links.hpp"
#include "actors/run.hpp"
#include "models/error.hpp"
#include "tests/bench/nodes/measurements.hpp"
#include "tests/bench/nodes/processes.hpp"

namespace slipstream::bench {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds pause{2};  // between an answer and the next message

void configure_ends(caf::actor_system_config &config) {
  configure(config);  // as in runs and nodes
  configure_links(config, {});
}

/// A prompt for each credit, as a run answers a sampler.
caf::behavior answer(caf::event_based_actor *self) {
  self->set_default_handler(caf::drop);
  auto prompt = std::make_shared<work>();
  prompt->source = std::make_shared<example>();
  prompt->prompt_tokens.assign(64, 7);
  return {[self, prompt](frame_atom, std::uint8_t, const std::string &piece) {
    if (std::holds_alternative<credit_frame>(decode_frame(piece)))
      send_frame(self, caf::actor_cast<caf::actor>(self->current_sender()), work_frame{prompt});
  }};
}

struct asking_state {
  std::int64_t left = 0;
  std::vector<std::int64_t> nanoseconds;
  std::chrono::steady_clock::time_point asked;
};

/// Tells how long each of `count` round trips took, and ends.
caf::behavior ask_often(caf::stateful_actor<asking_state> *self, const caf::actor &run, std::int64_t count) {
  self->state.left = count;
  self->delayed_send(self, pause, tick_atom::value);
  return {[self, run](tick_atom) {
            self->state.asked = std::chrono::steady_clock::now();
            send_frame(self, run, credit_frame{1, 1});
          },
          [self](frame_atom, std::uint8_t, const std::string &piece) {
            const auto work = decode_frame(piece);
            const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - self->state.asked;
            self->state.nanoseconds.push_back(took.count());
            if (--self->state.left > 0) return self->delayed_send(self, pause, tick_atom::value);
            tell(json(self->state.nanoseconds).dump());
            self->quit();
          }};
}

caf::actor find_run(caf::actor_system &system, const endpoint &place) {
  caf::scoped_actor self{system};
  caf::actor result;
  self->request(dialer(system, place), longest_dial, caf::connect_atom::value)
      .receive([&](const caf::strong_actor_ptr &found) { result = caf::actor_cast<caf::actor>(found); },
               [](const caf::error &) {});
  if (!result) throw run_error("no run at " + to_string(place));
  return result;
}

/// Round trips of a message, in nanoseconds, with what goes on beside them.
struct trips {
  std::vector<double> all;
  void add(const std::string &line) {
    for (const auto &one : json::parse(line)) all.push_back(one.get<double>());
  }
  double at(double share) const {
    auto sorted = all;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  }
  void print(const char *what, const trips &idle) const {
    fmt::print("{:<44} median {:6.0f} us, p99 {:6.0f} us  {:.2f} and {:.2f} times the idle ones\n", what,
               at(0.5) / 1e3, at(0.99) / 1e3, at(0.5) / idle.at(0.5), at(0.99) / idle.at(0.99));
    std::fflush(stdout);
  }
};

}  // namespace

int control_run(const arguments &chosen) {
  const linked_system linked(configure_ends);
  const auto place = open_port((*linked).spawn(answer), {"127.0.0.1", 0});
  tell(to_string(place));
  return serve(chosen);
}

int control_node(const arguments &chosen) {
  const linked_system linked(configure_ends);
  const auto run = find_run(*linked, parse_endpoint(chosen.relay, "place of the run"));
  std::unique_ptr<weight_client> client;
  weight_client_options options;
  options.parents = {parse_endpoint(chosen.place, "place")};
  options.models = {{"policy", chosen.elements()}};
  options.limits = chosen.limits();
  at::Tensor in_use;
  client = std::make_unique<weight_client>(
      options,
      [&](weight_version next) {
        in_use = std::move(next.flat);
        tell("got");
      },
      [](const std::string &why) { tell("failed " + why); });
  tell("ready");
  std::int64_t count = 0;
  for (std::string word; std::cin >> word >> count;) (*linked).spawn(ask_often, run, count);
  return 0;
}

int spin() {
  for (std::atomic<std::int64_t> turns = 0;; ++turns)
    if (turns == 1) tell("spinning");
}

void control_messages(arguments chosen) {
  chosen.shared = false;
  child run(words(chosen, "control-run", "127.0.0.1:0"));
  const auto actor = run.line(), weights = run.line();
  auto node_words = words(chosen, "control-node", weights);
  node_words.insert(node_words.end(), {"--relay", actor});
  child node(node_words);
  node.line();
  const std::string ask = fmt::format("ask {}", 500);
  trips idle, loaded, spinning;
  std::int64_t transfers = 0;
  double seconds = 0;
  for (std::int64_t round = 0; round < std::max<std::int64_t>(3, chosen.rounds); ++round) {
    node.say(ask);
    idle.add(node.line());
    run.say("publish");
    node.line();  // it is under way from here on
    const auto begin = std::chrono::steady_clock::now();
    run.say("publish");
    node.say(ask);
    for (auto line = node.line();; line = node.line()) {
      if (line != "got") {
        loaded.add(line);
        break;
      }
      ++transfers;
      run.say("publish");
    }
    node.line();  // the last one
    ++transfers;
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::vector<child_ptr> burners;
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
      burners.push_back(std::make_unique<child>(std::vector<std::string>{"--role", "spin"}));
    for (const auto &one : burners) one->line();
    node.say(ask);
    spinning.add(node.line());
  }
  idle.print("a message and its answer, idle", idle);
  loaded.print("beside a transfer at full rate", idle);
  spinning.print("beside a busy process for each core", idle);
  const auto megabytes = static_cast<double>(chosen.megabytes);
  show("that transfer, of each version", seconds / static_cast<double>(transfers), megabytes);
}

}  // namespace slipstream::bench

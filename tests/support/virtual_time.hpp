#pragma once

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "actors/recorder.hpp"
#include "actors/services.hpp"
#include "actors/supervisor.hpp"

namespace slipstream::test {

/// An actor system on CAF's deterministic scheduler: one thread, the same order in every repeat, and a clock
/// that moves only when it is told to.
class virtual_time {
 public:
  virtual_time() : system_(configured(config_)), scheduler_(find(system_)) {}
  ~virtual_time() {
    for (const auto &actor : owned_)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::kill);
    settle();
    system_.await_actors_before_shutdown(false);  // after a failed test there may be others
  }
  virtual_time(const virtual_time &) = delete;
  virtual_time &operator=(const virtual_time &) = delete;

  caf::actor_system &system() { return system_; }

  /// Ends the actor with the world.
  template <class Handle>
  Handle own(const Handle &actor) {
    owned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return actor;
  }
  template <class Handle, class... Args>
  Handle spawn(Args &&...args) {
    return own(Handle(system_.spawn(std::forward<Args>(args)...)));
  }

  /// Lets all messages that are there be handled, and those that they cause.
  void settle() {
    while (scheduler_.try_run_once()) {
    }
  }

  /// Lets actors go on one by one until `done` holds, those that were woken last first, so that one that
  /// sends itself messages shuts nobody out; false when all rest before.
  template <class Condition>
  bool settle_until(Condition done) {
    while (!done())
      if (!scheduler_.try_run_once_lifo()) return false;
    return true;
  }

  /// Lets time pass, in steps small enough for a chain of timers.
  void pass(std::chrono::milliseconds time, std::chrono::milliseconds step = std::chrono::milliseconds(100)) {
    for (settle(); time.count() > 0; time -= step) {
      scheduler_.advance_time(step);
      settle();
    }
  }
  /// As pass(), until `done` holds; false when it still does not after `limit`.
  template <class Condition>
  bool pass_until(Condition done, std::chrono::milliseconds limit) {
    settle();
    for (std::chrono::milliseconds gone{0}; gone < limit && !done(); gone += std::chrono::milliseconds(100))
      pass(std::chrono::milliseconds(100));
    return done();
  }

 private:
  static caf::actor_system_config &configured(caf::actor_system_config &config) {
    config.set("scheduler.policy", caf::atom("testing"));
    return config;
  }
  static caf::scheduler::test_coordinator &find(caf::actor_system &system) {
    return dynamic_cast<caf::scheduler::test_coordinator &>(system.scheduler());
  }

  caf::actor_system_config config_;
  caf::actor_system system_;
  caf::scheduler::test_coordinator &scheduler_;
  std::vector<caf::strong_actor_ptr> owned_;
};

/// The parts that every run has, without files.
inline run_services make_services(virtual_time &world) {
  run_services services;
  services.supervisor = world.own(spawn_supervisor(world.system(), false));
  services.recorder = world.own(spawn_recorder(world.system(), false, {{}, {}, {}, services.supervisor}));
  services.slots = std::make_shared<compute_slots>(1);
  services.waits = std::make_shared<wait_table>();
  return services;
}

/// What a request was answered with, once it was.
template <class Reply>
struct answer {
  std::optional<Reply> reply;
  std::optional<caf::error> error;
};

template <class Reply, class Handle, class... Args>
std::shared_ptr<answer<Reply>> request(virtual_time &world, const Handle &to, Args... args) {
  auto result = std::make_shared<answer<Reply>>();
  world.own(world.system().spawn([=](caf::event_based_actor *self) {
    self->request(to, caf::infinite, args...)
        .then([=](const Reply &reply) { result->reply = reply; },
              [=](const caf::error &reason) { result->error = reason; });
  }));
  return result;
}

}  // namespace slipstream::test

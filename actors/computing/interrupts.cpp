#include "actors/computing/interrupts.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace slipstream {
namespace {

std::atomic<int> interrupts{0};

void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(130);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return interrupts.load() > 0;
}

}  // namespace slipstream

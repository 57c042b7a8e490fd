#include "runtime/laboratory/run_pool.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <ctime>
#include <map>

namespace slipstream {

struct blocked_signals::set {
  sigset_t waited, before;
};

blocked_signals::blocked_signals() : set_(new set) {
  sigemptyset(&set_->waited);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&set_->waited, number);
  ::pthread_sigmask(SIG_BLOCK, &set_->waited, &set_->before);
}

blocked_signals::~blocked_signals() {
  ::pthread_sigmask(SIG_SETMASK, &set_->before, nullptr);
  delete set_;
}

int blocked_signals::wait() const {
  const timespec half_a_second{0, 500'000'000};
  const int number = ::sigtimedwait(&set_->waited, nullptr, &half_a_second);
  return number < 0 ? 0 : number;
}

namespace {

class pool {
 public:
  pool(const std::vector<child_program> &programs, const pool_observer &observer)
      : programs_(programs), observer_(observer) {}

  std::size_t running() const { return running_.size(); }
  bool more() const { return interrupts_ == 0 && next_ < programs_.size(); }
  bool interrupted() const { return interrupts_ > 0; }

  void start() {
    const auto index = next_++;
    running_[start_child(programs_[index])] = index;
    if (observer_.started) observer_.started(index);
  }

  void interrupt() {
    ++interrupts_;
    for (const auto &[child, index] : running_) ::kill(child, interrupts_ == 1 ? SIGINT : SIGTERM);
  }

  void collect() {
    for (auto each = running_.begin(); each != running_.end();) {
      int status = 0;
      if (::waitpid(each->first, &status, WNOHANG) != each->first) {
        ++each;
        continue;
      }
      const auto index = each->second;
      each = running_.erase(each);
      if (observer_.ended) observer_.ended(index, exit_code(status));
    }
  }

  void beat() const {
    std::vector<std::size_t> indexes;
    for (const auto &[child, index] : running_) indexes.push_back(index);
    if (observer_.beat) observer_.beat(indexes);
  }

 private:
  const std::vector<child_program> &programs_;
  const pool_observer &observer_;
  std::map<pid_t, std::size_t> running_;
  std::size_t next_ = 0;
  int interrupts_ = 0;
};

}  // namespace

bool run_pool(const blocked_signals &signals, const std::vector<child_program> &programs,
              std::int64_t at_once, const pool_observer &observer) {
  pool children(programs, observer);
  while (children.more() || children.running() > 0) {
    while (children.more() && children.running() < static_cast<std::size_t>(at_once)) children.start();
    children.beat();
    const int signal = signals.wait();
    if (signal == SIGINT || signal == SIGTERM) children.interrupt();
    children.collect();
  }
  return !children.interrupted();
}

}  // namespace slipstream

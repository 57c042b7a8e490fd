// Ranks of a learner in other processes: the bits of threads, and a word at once when one is gone. They are
// processes of this very program, which runs the hidden test case at the end; between them and their leader
// go bytes.
#include <ATen/ATen.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "models/error.hpp"
#include "runtime/learning/rank_worker.hpp"
#include "runtime/nodes/far_rank.hpp"
#include "runtime/nodes/rank_frames.hpp"
#include "runtime/wire/certificates.hpp"
#include "runtime/wire/tunnel.hpp"
#include "tests/support/rank_courses.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test::ranks;

namespace {

/// "DESCRIPTOR NUMBER PKI" of a process that is a rank: its rank and the number of ranks as RANK * 100 +
/// RANKS, and the folder of its certificate, or "-".
constexpr const char *child_end = "SLIPSTREAM_TEST_RANK";

/// Through TLS, with the certificate that `pki` has under a name; in plain text where it is "-".
std::shared_ptr<const tunnel_options> tunnel_of(const std::string &pki) {
  if (pki == "-") return nullptr;
  const std::filesystem::path folder = pki;
  return std::make_shared<const tunnel_options>(tunnel_options{
      {folder / "rank.pem", folder / "rank.key", folder / "ca.pem", {}}, "127.0.0.1", "127.0.0.1", ""});
}

/// Messages over a socket, each behind its length.
class message_socket {
 public:
  explicit message_socket(int descriptor) : descriptor_(descriptor) {}
  ~message_socket() { ::close(descriptor_); }
  message_socket(const message_socket &) = delete;
  message_socket &operator=(const message_socket &) = delete;

  void send(const std::string &bytes) {
    const std::lock_guard lock(mutex_);
    const auto size = static_cast<std::uint32_t>(bytes.size());
    std::string whole(reinterpret_cast<const char *>(&size), sizeof(size));
    whole += bytes;
    for (std::size_t done = 0; done < whole.size();) {
      const auto now = ::send(descriptor_, whole.data() + done, whole.size() - done, MSG_NOSIGNAL);
      if (now <= 0) return;  // the other side is gone, as who receives will hear
      done += static_cast<std::size_t>(now);
    }
  }
  /// False when the other side is gone.
  bool receive(std::string &bytes) {
    std::uint32_t size = 0;
    if (!fill(reinterpret_cast<char *>(&size), sizeof(size))) return false;
    bytes.resize(size);
    return fill(bytes.data(), size);
  }
  void hang_up() { ::shutdown(descriptor_, SHUT_RDWR); }

 private:
  bool fill(char *to, std::size_t size) {
    while (size > 0) {
      const auto now = ::recv(descriptor_, to, size, 0);
      if (now <= 0) return false;
      to += now, size -= static_cast<std::size_t>(now);
    }
    return true;
  }
  int descriptor_;
  std::mutex mutex_;
};

/// A rank in a process of its own, and the thread that listens to it.
class child_rank {
 public:
  child_rank(std::int64_t rank, std::shared_ptr<meeting_point> meeting, const std::string &pki = "-") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    REQUIRE(::fcntl(ends[1], F_SETFD, 0) == 0);
    std::string said =
        std::string(child_end) + "=" + std::to_string(ends[1]) + " " + std::to_string(rank) + " " + pki;
    std::string self = "/proc/self/exe", chosen = "[child_rank]";
    std::vector<char *> words{self.data(), chosen.data(), nullptr}, environment{said.data()};
    for (char **each = environ; *each; ++each) environment.push_back(*each);
    environment.push_back(nullptr);
    REQUIRE(::posix_spawn(&pid_, self.c_str(), nullptr, nullptr, words.data(), environment.data()) == 0);
    ::close(ends[1]);
    socket_ = std::make_shared<message_socket>(ends[0]);
    lane_ = std::make_shared<far_rank>("child " + std::to_string(rank),
                                       [socket = socket_](const std::string &bytes) { socket->send(bytes); });
    listener_ = std::thread([socket = socket_, lane = lane_, meeting = std::move(meeting)] {
      for (std::string bytes; socket->receive(bytes);) {
        const auto message = decode_rank_message(bytes);
        if (const auto *done = std::get_if<rank_done>(&message)) lane->done(*done);
        if (std::holds_alternative<rank_ready>(message)) lane->ready();
        if (const auto *asked = std::get_if<meeting_request>(&message))
          socket->send(
              encode_rank_message(meeting_answer{asked->number, answer_meeting(meeting, asked->bytes)}));
      }
      lane->gone(std::make_exception_ptr(run_error("child is gone")));
    });
  }
  ~child_rank() {
    socket_->hang_up();
    listener_.join();
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  child_rank(const child_rank &) = delete;
  child_rank &operator=(const child_rank &) = delete;

  const std::shared_ptr<far_rank> &lane() const { return lane_; }
  void kill(int signal) { ::kill(pid_, signal); }

 private:
  pid_t pid_ = 0;
  std::shared_ptr<message_socket> socket_;
  std::shared_ptr<far_rank> lane_;
  std::thread listener_;
};

/// What the processes of these tests are set to, so that only the number of ranks need be told.
trainer_options course_options(std::int64_t ranks) {
  auto options = options_of("decoupled_ppo", ranks);
  options.mini_batches = 2, options.epochs = 2, options.loss.kl_coefficient = 0.1;
  options.sft_weight = 0.5, options.sft_batch = 5;
  options.transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
  options.zero = 1;
  options.patience = std::chrono::seconds(20);
  return options;
}

struct far_learner {
  trainer_options options;
  std::vector<std::unique_ptr<child_rank>> children;

  /// Rank 1 here, as a thread, where there are three; the last one elsewhere.
  explicit far_learner(std::int64_t ranks, const std::string &pki = "-", const std::string &pki_there = "-")
      : options(course_options(ranks)) {
    options.meeting = meet_here();
    options.tunnel = tunnel_of(pki);
    for (std::int64_t rank = ranks > 2 ? 2 : 1; rank < ranks; ++rank) {
      children.push_back(std::make_unique<child_rank>(rank * 100 + ranks, options.meeting, pki_there));
      options.elsewhere[rank] = children.back()->lane();
      REQUIRE(children.back()->lane()->wait_until_ready(std::chrono::seconds(60)));
    }
  }
};

/// A rank whose tasks and answers go as bytes, but inside this process.
class rank_by_bytes : public rank_lane {
 public:
  rank_by_bytes(const trainer_options &options, std::int64_t rank,
                const std::shared_ptr<meeting_point> &meeting)
      : worker_(options,
                std::make_shared<const transformer>(small_model(needs_head(*options.objective) ? 1 : 0)),
                rank, "cpu", meet_elsewhere([meeting](const std::string &request) {
                  return answer_meeting(meeting, request);
                })) {}
  ~rank_by_bytes() override {
    if (thread_.joinable()) thread_.join();
  }
  std::string name() const override { return "bytes"; }
  void start(const rank_task_ptr &task) override {
    thread_ = std::thread([this, bytes = encode_rank_message(*task)] {
      const auto problem = worker_.perform(std::get<rank_task>(decode_rank_message(bytes)));
      answer_ = encode_rank_message(done_with(problem));
    });
  }
  std::exception_ptr finish(std::chrono::milliseconds) override {
    thread_.join();
    return problem_of(std::get<rank_done>(decode_rank_message(answer_)), name());
  }
  void end(std::chrono::milliseconds) override {}

 private:
  rank_worker worker_;
  std::thread thread_;
  std::string answer_;
};

}  // namespace

TEST_CASE("ranks that are told everything in bytes give the bits of threads, whatever they learn") {
  auto all = rank_settings(3);
  for (const auto &row : objective_rows())
    if (row.kind != input_kind::tokens) all.push_back(options_of(std::string(row.name), 2));
  for (const std::size_t i : {0, 1, 6}) {
    all.push_back(all[i]);
    all.back().zero = 3;
  }
  for (auto options : all) {
    CAPTURE(std::string(options.objective->name), options.replicas);
    const auto threads = train_three(options);
    options.meeting = meet_here();
    for (std::int64_t rank = 1; rank < options.replicas; ++rank)
      options.elsewhere[rank] = std::make_shared<rank_by_bytes>(options, rank, options.meeting);
    const auto bytes = train_three(options);
    CHECK(at::equal(bytes.weights, threads.weights));
    CHECK(bytes.metrics == threads.metrics);
    CHECK(bytes.state == threads.state);
  }
}

TEST_CASE("ranks in other processes give the bits of threads, also when they go on from a checkpoint") {
  const auto initial = small_model(0);
  for (const std::int64_t ranks : {2, 3}) {
    trainer here(course_options(ranks), initial);
    const auto first = train(here, batch_of(0), batch_of(100, 5));
    const auto moments = here.optimizer();
    const auto state = here.state();
    const auto stored = here.model().flat().clone();
    const auto second = train(here, batch_of(10), batch_of(110, 5));

    far_learner far(ranks);
    trainer core(far.options, initial);
    CHECK(train(core, batch_of(0), batch_of(100, 5)).metrics == first.metrics);
    CHECK(at::equal(core.model().flat(), stored));
    const auto gathered = core.optimizer();
    CHECK(at::equal(gathered.m, moments.m));
    CHECK(at::equal(gathered.v, moments.v));
    // back to where the first batch left them: what was trained since is not theirs
    train(core, batch_of(20), batch_of(120, 5));
    core.resume({moments.m.clone(), moments.v.clone(), moments.step}, state);
    CHECK(core.version() == here.version() - 1);
    CHECK(at::equal(core.optimizer().m, moments.m));
    CHECK(core.optimizer().step == moments.step);
    CHECK(second.version == 2);
  }
}

TEST_CASE("with certificates the ranks of several processes add up through TLS, and no stranger does") {
  const test::scratch folder, other;
  make_certificates(folder.path(), {"rank"});
  make_certificates(other.path(), {"rank"});
  const auto initial = small_model(0);
  trainer here(course_options(3), initial);
  const auto first = train(here, batch_of(0), batch_of(100, 5));
  far_learner far(3, folder.path(), folder.path());
  trainer core(far.options, initial);
  CHECK(train(core, batch_of(0), batch_of(100, 5)).metrics == first.metrics);
  CHECK(at::equal(core.model().flat(), here.model().flat()));
  far.children[0]->kill(SIGKILL);
  CHECK_THROWS_WITH(train(core, batch_of(10), batch_of(110, 5)), "child is gone");

  for (const auto &pki : {other.path().string(), std::string("-")}) {
    far_learner strange(2, folder.path(), pki);
    strange.options.patience = std::chrono::milliseconds(500);
    CHECK_THROWS_AS(trainer(strange.options, initial), rank_lost);
  }
}

TEST_CASE(
    "a rank's process that is killed ends the learner at once, and what broke in another process is told") {
  far_learner far(3);
  trainer core(far.options, small_model(0));
  train(core, batch_of(0), batch_of(100, 5));
  core.begin(batch_of(10), 0, {}, batch_of(110, 5));
  far.children[0]->kill(SIGKILL);
  const auto go_on = [&] {
    while (core.slice()) {
    }
  };
  CHECK_THROWS_WITH(go_on(), "child is gone");  // not what the others say, who miss it

  auto broken = std::make_shared<sample_group>(*group_of(3, 1));
  for (auto &entry : broken->samples) entry.behaviour.assign(entry.behaviour.size(), std::nanf(""));
  auto given = batch_of(0);
  for (auto &group : given) group = broken;
  auto options = options_of("ppo", 2);
  options.meeting = meet_here();
  options.elsewhere[1] = std::make_shared<rank_by_bytes>(options, 1, options.meeting);
  trainer other(options, small_model(0));
  CHECK_THROWS_WITH(train(other, given), test::Contains("not finite in update 1"));
}

TEST_CASE("a rank's process that hangs is given up, and named") {
  far_learner far(2);
  far.options.patience = std::chrono::milliseconds(500);
  trainer core(far.options, small_model(0));
  train(core, batch_of(0), batch_of(100, 5));
  far.children[0]->kill(SIGSTOP);
  CHECK_THROWS_WITH(train(core, batch_of(10), batch_of(110, 5)),
                    test::Contains("rank 1 of 2 (child 102) hangs"));
  far.children[0]->kill(SIGCONT);
}

TEST_CASE("what a rank is told is checked before it is believed") {
  const auto whole =
      encode_rank_message(rank_task(begin_task{batch_of(0), 7, {{"critic", 2}}, batch_of(9, 1)}));
  const auto task = std::get<begin_task>(std::get<rank_task>(decode_rank_message(whole)));
  CHECK(task.now_ns == 7);
  CHECK(task.scoring_models.at("critic") == 2);
  REQUIRE(task.batch.size() == 7);
  CHECK(task.batch[6]->samples[1].behaviour == batch_of(0)[6]->samples[1].behaviour);
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK_THROWS_AS(decode_rank_message(whole.substr(0, length)), run_error);
  CHECK_THROWS_AS(decode_rank_message(whole + "x"), run_error);
  auto uneven = std::make_shared<sample_group>(*group_of(3, 1));
  uneven->samples[0].behaviour.pop_back();
  CHECK_THROWS_AS(decode_rank_message(encode_rank_message(rank_task(begin_task{{uneven}, 0, {}, {}}))),
                  run_error);
  CHECK_THROWS_AS(answer_meeting(meet_here(), "\xff"), run_error);
  CHECK_THROWS_AS(encode_rank_message(rank_task(target_task{})), run_error);
}

TEST_CASE("this process is a rank", "[.child_rank]") {
  const char *told = std::getenv(child_end);
  if (told == nullptr) return;  // it was chosen by the file's name
  int descriptor = 0;
  std::int64_t number = 0;
  std::string pki;
  REQUIRE(std::istringstream(told) >> descriptor >> number >> pki);
  message_socket socket(descriptor);
  std::atomic<std::uint64_t> asked{0};
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, std::string> answers;
  bool gone = false;
  const auto ask = [&](const std::string &request) {
    const auto own = ++asked;
    socket.send(encode_rank_message(meeting_request{own, request}));
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return gone || answers.count(own) > 0; });
    if (gone) throw rank_lost("the leader is gone");
    return answers.extract(own).mapped();
  };
  auto options = course_options(number % 100);
  options.tunnel = tunnel_of(pki);
  rank_worker worker(options, std::make_shared<const transformer>(small_model(0)), number / 100, "cpu",
                     meet_elsewhere(ask));
  std::thread working;
  socket.send(encode_rank_message(rank_ready{}));
  for (std::string bytes; socket.receive(bytes);) {
    const auto message = decode_rank_message(bytes);
    if (const auto *answer = std::get_if<meeting_answer>(&message)) {
      const std::lock_guard lock(mutex);
      answers[answer->number] = answer->bytes;
      changed.notify_all();
    } else {
      if (working.joinable()) working.join();
      working = std::thread([&, task = std::get<rank_task>(message)] {
        socket.send(encode_rank_message(done_with(worker.perform(task))));
      });
    }
  }
  {
    const std::lock_guard lock(mutex);
    gone = true;
    changed.notify_all();
  }
  worker.leave();
  if (working.joinable()) working.join();
}

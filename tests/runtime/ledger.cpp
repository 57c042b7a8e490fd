#include "runtime/schedule/ledger.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "models/error.hpp"
#include "runtime/schedule/order_buffer.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

struct shape {
  std::int64_t groups_a_batch, group, lead, updates, samplers;
};

/// A run without actors: every step takes one of the moves that are open, by chance. It keeps books of its
/// own, so that the ledger's are compared with something.
class random_schedule {
 public:
  random_schedule(const shape &size, std::uint64_t seed)
      : size_(size),
        batch_(size.groups_a_batch * size.group),
        books_(admission(batch_, size.lead), size.group, batch_ * size.updates),
        buffer_(order_rows()[0], {}, size.groups_a_batch),
        held_(static_cast<std::size_t>(size.samplers), 0),
        dice_(seed) {}

  /// False when nothing can move any more.
  bool step() {
    std::vector<void (random_schedule::*)()> open;
    if (books_.room(newest()) > 0) open.push_back(&random_schedule::draw);
    if (!waiting_.empty() && newest() >= min_version_.at(waiting_.front()))
      open.push_back(&random_schedule::start);
    if (!running_.empty()) open.push_back(&random_schedule::finish);
    if (!running_.empty()) open.push_back(&random_schedule::lose);
    if (trainable()) open.push_back(&random_schedule::train);
    if (*std::min_element(held_.begin(), held_.end()) < version_) open.push_back(&random_schedule::receive);
    if (open.empty()) return false;
    (this->*open[roll(open.size())])();
    compare();
    return true;
  }

  bool finished() const { return version_ == size_.updates; }
  std::int64_t oldest() const { return oldest_; }
  std::int64_t dropped() const { return dropped_; }
  const ledger &books() const { return books_; }

 private:
  std::size_t roll(std::size_t sides) { return static_cast<std::size_t>(dice_() % sides); }
  std::int64_t newest() const { return *std::max_element(held_.begin(), held_.end()); }

  void draw() {
    const auto id = drawn_++;
    min_version_[id] = books_.draw(id);
    buffer_.draw(id, min_version_[id]);
    state_[id] = rollout_state::waiting;
    waiting_.push_back(id);
  }

  void start() {  // by any sampler whose weights are new enough
    const auto id = waiting_.front();
    std::vector<std::int64_t> able;
    for (const auto version : held_)
      if (version >= min_version_.at(id)) able.push_back(version);
    waiting_.erase(waiting_.begin());
    books_.start(id);
    state_[id] = rollout_state::running;
    running_.push_back(id);
    begun_[id] = able[roll(able.size())];
  }

  std::uint64_t pick_running() {
    const auto which = running_.begin() + static_cast<std::ptrdiff_t>(roll(running_.size()));
    const auto id = *which;
    running_.erase(which);
    return id;
  }

  void finish() {
    const auto id = pick_running();
    books_.finish(id);
    if (roll(6) == 0) return drop(id);
    auto group = std::make_shared<sample_group>();
    group->id = id;
    group->rollouts = size_.group;
    books_.buffer(id);
    state_[id] = rollout_state::buffered;
    buffer_.put(group);
  }

  void lose() {  // a sampler died with it, or it is given up
    const auto id = pick_running();
    if (roll(2) == 0) return drop(id);
    books_.reissue(id);
    state_[id] = rollout_state::waiting;
    waiting_.insert(waiting_.begin(), id);
  }

  void drop(std::uint64_t id) {
    books_.drop(id, "chance");
    buffer_.drop(id);
    state_.erase(id);
    gone_.push_back(id);
    dropped_ += size_.group;
  }

  bool trainable() {
    if (batch_ready_.empty()) batch_ready_ = buffer_.take(version_).batch;
    return !batch_ready_.empty();
  }

  void train() {
    CHECK(static_cast<std::int64_t>(batch_ready_.size()) == size_.groups_a_batch);
    for (const auto &group : batch_ready_) {
      while (std::count(gone_.begin(), gone_.end(), expected_) > 0) ++expected_;
      CHECK(group->id == expected_++);
      const auto age = version_ - begun_.at(group->id);
      CHECK(age >= 0);
      CHECK(age <= size_.lead);
      oldest_ = std::max(oldest_, age);
      books_.train(group->id);
      state_.erase(group->id);
    }
    batch_ready_.clear();
    ++version_;
  }

  void receive() {  // a newer version reaches a sampler, perhaps not the newest
    std::vector<std::size_t> behind;
    for (std::size_t i = 0; i < held_.size(); ++i)
      if (held_[i] < version_) behind.push_back(i);
    auto &held = held_[behind[roll(behind.size())]];
    held += 1 + static_cast<std::int64_t>(roll(static_cast<std::size_t>(version_ - held)));
  }

  void compare() const {
    const auto &totals = books_.totals();
    const auto count = [&](rollout_state state) {
      return size_.group * std::count_if(state_.begin(), state_.end(),
                                         [&](const auto &entry) { return entry.second == state; });
    };
    const bool equal =
        totals.drawn == static_cast<std::int64_t>(drawn_) * size_.group &&
        totals.trained == version_ * batch_ && totals.dropped_total() == dropped_ &&
        totals.waiting == count(rollout_state::waiting) && totals.running == count(rollout_state::running) &&
        totals.buffered == count(rollout_state::buffered) && totals.partial + totals.finished == 0 &&
        totals.drawn == totals.trained + totals.dropped_total() + totals.in_flight();
    CHECK(equal);
    // Total work in flight is bounded, whatever is slow.
    CHECK(totals.in_flight() <= batch_ * (size_.lead + 1));
  }

  shape size_;
  std::int64_t batch_;
  ledger books_;
  order_buffer buffer_;
  std::vector<std::int64_t> held_;
  std::mt19937_64 dice_;

  std::uint64_t drawn_ = 0, expected_ = 0;
  std::int64_t version_ = 0, oldest_ = 0, dropped_ = 0;
  std::map<std::uint64_t, std::int64_t> min_version_, begun_;
  std::map<std::uint64_t, rollout_state> state_;
  std::vector<std::uint64_t> waiting_, running_, gone_;
  std::vector<sample_group_ptr> batch_ready_;
};

}  // namespace

TEST_CASE("whatever the schedule, the sums close, the age is bounded and the run ends") {
  std::mt19937_64 dice(7);
  const auto between = [&](std::uint64_t low, std::uint64_t high) {
    return static_cast<std::int64_t>(low + dice() % (high - low + 1));
  };
  std::map<std::int64_t, std::int64_t> oldest;  // by lead
  std::int64_t dropped = 0, reissued = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const shape size{between(1, 4), between(1, 3), between(0, 3), between(2, 6), between(1, 3)};
    INFO("schedule " << seed);
    random_schedule run(size, seed);
    while (run.step()) {
    }
    REQUIRE(run.finished());
    CHECK(run.books().totals().in_flight() == 0);  // no more are admitted than the run needs
    oldest[size.lead] = std::max(oldest[size.lead], run.oldest());
    dropped += run.dropped();
    reissued += run.books().totals().reissued;
  }
  CHECK(oldest == std::map<std::int64_t, std::int64_t>{{0, 0}, {1, 1}, {2, 2}, {3, 3}});
  CHECK(dropped > 1000);
  CHECK(reissued > 1000);
}

TEST_CASE("a prompt only goes where its state allows") {
  ledger books(admission(4, 0), 2, 100);
  CHECK(books.room(0) == 2);
  CHECK(books.draw(7) == 0);
  CHECK_THROWS_AS(books.draw(7), run_error);
  CHECK_THROWS_WITH(books.finish(7), "ledger: prompt 7 cannot go from waiting to finished");
  CHECK_THROWS_AS(books.buffer(7), run_error);
  CHECK_THROWS_AS(books.train(7), run_error);
  CHECK_THROWS_AS(books.reissue(7), run_error);
  books.start(7);
  CHECK_THROWS_AS(books.start(7), run_error);
  CHECK_THROWS_AS(books.train(7), run_error);
  books.finish(7);
  CHECK_THROWS_AS(books.reissue(7), run_error);
  CHECK_THROWS_AS(books.train(7), run_error);
  books.buffer(7);
  CHECK_THROWS_WITH(books.start(7), "ledger: prompt 7 cannot go from buffered to running");
  books.train(7);
  CHECK_THROWS_AS(books.drop(7, "late"), run_error);
  CHECK_THROWS_WITH(books.train(7), "ledger: prompt 7 is not in flight and cannot become trained");
  CHECK_THROWS_AS(books.start(8), run_error);
  CHECK(books.totals().trained == 2);
}

TEST_CASE("dropped rollouts leave the count, by reason") {
  ledger books(admission(4, 0), 2, 8);
  books.draw(0);
  books.draw(1);
  CHECK(books.room(0) == 0);
  books.drop(0, "tie");
  CHECK(books.room(0) == 1);
  CHECK(books.draw(2) == 0);
  books.start(2);
  books.drop(2, "late");
  books.start(1);
  books.finish(1);
  books.drop(1, "tie");
  CHECK(books.totals().dropped == std::map<std::string, std::int64_t>{{"late", 2}, {"tie", 4}});
  CHECK(books.totals().drawn == 6);
  CHECK(books.totals().in_flight() == 0);
  CHECK(books.room(0) == 2);
  CHECK(books.room(5) == 4);  // the limit: 8 rollouts
}

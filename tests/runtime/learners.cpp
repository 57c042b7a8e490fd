#include <ATen/core/Tensor.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "models/error.hpp"
#include "runtime/journal/resume.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using id_list = std::vector<std::uint64_t>;

struct shape {
  std::int64_t groups_a_batch = 2, lead = 0;
  bool main_drops = false;  ///< whether the main path drops groups too
  bool guards = false;      ///< whether the policy leaves some batches untrained
  bool alone = false;       ///< whether there is no learner but the policy
  bool crashes = false;
};

/// A run without actors: a policy and its critic on one path, a reward model with a pace of its own on
/// another. Every step takes one of the moves that are open, by chance; what actors would say to each other
/// arrives late. It may be killed at any moment, and goes on from its journal and its learners' checkpoints.
class random_run {
 public:
  static constexpr std::int64_t updates = 6, group = 2;

  random_run(const shape &size, std::uint64_t seed, const std::filesystem::path &folder)
      : size_(size), batch_(size.groups_a_batch * group), dice_(seed), folder_(folder) {
    for (const auto &place : groups_per_batch()) learners_[place.learner] = {};
    note(run_opened{"random", seed, group, false, groups_per_batch()});
    for (const auto &path : paths()) {
      std::map<std::string, shared_batches::place> takers;
      for (const auto &place : groups_per_batch())
        if (place.path == path) takers[place.learner] = {};
      buffers_.emplace(path, shared_batches(empty(), takers));
    }
  }

  std::vector<learner_path> groups_per_batch() const {
    if (size_.alone) return {{"policy", "advantage"}};
    return {{"policy", "advantage"}, {"critic", "advantage"}, {"reward", "pairs"}};
  }
  std::set<std::string> paths() const {
    return size_.alone ? std::set<std::string>{"advantage"} : std::set<std::string>{"advantage", "pairs"};
  }

  /// False when the run has ended.
  bool step() {
    if (size_.crashes && roll(60) == 0) crash();
    std::vector<std::function<void()>> open;
    if (books_.room(learners_.at("policy").version) > 0 && !ended("policy"))
      open.push_back([this] { draw(); });
    for (const auto &[id, oldest] : waiting_)
      if (learners_.at("policy").version >= oldest.policy) {
        open.push_back([this, which = id] { sample(which); });
        break;
      }
    for (std::size_t i = 0; i < arrivals_.size(); ++i)
      if (may_arrive(arrivals_[i])) open.push_back([this, i] { arrive(i); });
    for (const auto &place : groups_per_batch()) offer(place, open);
    if (!news_.empty()) open.push_back([this] { hear(); });
    if (open.empty()) return false;
    open[roll(open.size())]();
    books_.totals();  // throws unless the sums close
    in_flight_ = std::max(in_flight_, books_.totals().in_flight());
    return true;
  }

  /// What went wrong over the whole run, in words; empty: nothing.
  std::string verdict() {
    for (const auto &[name, learner] : learners_)
      if (name != "reward" && learner.version != updates) return "the run got stuck";
    for (std::int64_t version = 1; !size_.alone && version <= updates; ++version)
      if (learners_.at("policy").batches.at(version) != learners_.at("critic").batches.at(version))
        return "policy and critic learned from different batches";
    for (const auto &[name, learner] : learners_) {
      std::set<std::uint64_t> seen;
      for (const auto &[version, ids] : learner.batches)
        for (const auto id : ids)
          if (!seen.insert(id).second) return name + " trained twice on a group";
    }
    if (books_.totals().in_flight() != 0) return "groups are left in flight";
    if (!size_.crashes && in_flight_ > batch_ * (size_.lead + 2))
      return "more was in flight than the cap allows";
    const auto history = write_and_read({});
    if (!history.fault.empty()) return history.fault;
    const auto told = history.totals();
    if (told.trained != books_.totals().trained || told.dropped_total() != books_.totals().dropped_total())
      return "the journal tells other sums than the books";
    return "";
  }
  std::int64_t oldest_values() const { return oldest_values_; }
  std::int64_t oldest_scores() const { return oldest_scores_; }
  std::int64_t tripped() const { return tripped_; }
  std::int64_t reward_updates() const { return learners_.at("reward").version; }
  int crashes() const { return crashes_; }

 private:
  struct oldest_versions {
    std::int64_t policy = 0, reward = 0;
  };
  order_buffer empty() const { return {order_rows()[0], {}, size_.groups_a_batch}; }
  ledger fresh() const {
    return {admission(batch_, size_.lead), group, batch_ * updates, {0, batch_ * (size_.lead + 2)}};
  }
  struct trainee {
    std::int64_t version = 0, checkpoint = 0;
    std::optional<shared_batches::served> in_hand;
    std::map<std::int64_t, id_list> batches;  ///< by the version they made
    bool done = false;
  };
  struct arrival {
    std::string path;
    std::uint64_t id;
    std::int64_t sampled_by, min_reward;
  };
  struct message {
    std::string learner;
    id_list ids;
    std::int64_t version;
    bool end = false;
    std::string guard{};
  };

  std::size_t roll(std::size_t sides) { return static_cast<std::size_t>(dice_() % sides); }
  bool ended(const std::string &name) const { return learners_.at(name).done; }
  void note(journal_event event) { journal_.push_back(std::move(event)); }
  void moved(std::uint64_t id, rollout_state to, const std::string &cause) {
    note(prompt_moved{id, to, cause});
  }

  void draw() {
    const auto id = drawn_++;
    const auto oldest = books_.draw(id);
    note(prompt_drawn{id, oldest, 0, 0, {{"reward", told_reward_}}});
    waiting_[id] = {oldest, told_reward_};
    for (auto &[path, buffer] : buffers_) buffer.draw(id, oldest);
  }

  void sample(std::uint64_t id) {
    const auto oldest = waiting_.at(id);
    waiting_.erase(id);
    books_.start(id);
    moved(id, rollout_state::running, "");
    books_.finish(id);
    moved(id, rollout_state::finished, "");
    const auto by = between(oldest.policy, learners_.at("policy").version);
    for (const auto &path : paths()) arrivals_.push_back({path, id, by, oldest.reward});
  }
  std::int64_t version_of(const std::string &name) const {
    return learners_.contains(name) ? learners_.at(name).version : updates;
  }

  // The critic values a group by a version that is new enough, and so does the reward model score it.
  bool may_arrive(const arrival &next) const {
    if (next.path == "pairs") return true;
    return version_of("critic") >= next.sampled_by && version_of("reward") >= next.min_reward;
  }

  void arrive(std::size_t index) {
    const auto next = arrivals_[index];
    arrivals_.erase(arrivals_.begin() + static_cast<std::ptrdiff_t>(index));
    if (heard_before_[next.path].erase(next.id) > 0) return;
    const bool pairs = next.path == "pairs";
    auto made = std::make_shared<sample_group>();
    made->id = next.id;
    made->rollouts = group;
    if (pairs ? roll(3) == 0 : size_.main_drops && roll(6) == 0) {
      note(path_dropped{next.id, next.path, "tie"});
      buffers_.at(next.path).drop(next.id);
      apply(next.id, book_.drop(next.path, next.id), "tie");
      return;
    }
    made->samples.resize(1);
    made->samples.front().tokens = {1};
    made->samples.front().versions = {next.sampled_by};
    if (!pairs && !size_.alone)
      made->model_versions = {{"critic", between(next.sampled_by, version_of("critic"))},
                              {"reward", between(next.min_reward, version_of("reward"))}};
    note(group_kept{made, next.path});
    buffers_.at(next.path).put(made);
    apply(next.id, book_.keep(next.path, next.id), "");
  }

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(roll(static_cast<std::size_t>(high - low + 1)));
  }

  void offer(const learner_path &place, std::vector<std::function<void()>> &open) {
    auto &mine = learners_.at(place.learner);
    if (mine.done) return;
    if (mine.in_hand) {
      open.push_back([this, name = place.learner] { train(name); });
    } else if (place.learner == "reward" && ended("policy")) {
      open.push_back([this, name = place.learner] { end(name); });
    } else if (auto served = pull(place, mine.version)) {
      if (!served->again) {
        batch_consumed event{mine.version + 1, {}, place.learner};
        for (const auto &each : *served->groups) event.ids.push_back(each->id);
        note(event);
      }
      mine.in_hand = served;
      open.push_back([this, name = place.learner] { train(name); });
    }
  }

  std::optional<shared_batches::served> pull(const learner_path &place, std::int64_t version) {
    auto &buffer = buffers_.at(place.path);
    if (buffer.next() == version) REQUIRE(buffer.compose().empty());
    return buffer.take(place.learner, version);
  }

  void train(const std::string &name) {
    auto &mine = learners_.at(name);
    id_list ids;
    for (const auto &each : *mine.in_hand->groups) {
      ids.push_back(each->id);
      if (name == "policy" && !size_.alone) measure(*each, mine);
    }
    const bool tripped = name == "policy" && size_.guards && mine.version % 3 == 1;
    mine.in_hand.reset();
    mine.batches[++mine.version] = ids;
    if (tripped) note(batch_skipped{mine.version, "ess", name}), ++tripped_;
    durable_ = journal_.size();
    news_.push_back({name, ids, mine.version, false, tripped ? "guard: ess" : ""});
    if (roll(3) == 0) mine.checkpoint = mine.version;
    if (name != "reward" && mine.version == updates) end(name);
  }

  void measure(const sample_group &each, const trainee &mine) {
    const auto values = mine.version - each.model_versions.at("critic");
    const auto scores = version_of("reward") - each.model_versions.at("reward");
    REQUIRE(values >= 0);
    oldest_values_ = std::max(oldest_values_, values);
    if (!mine.in_hand->again) oldest_scores_ = std::max(oldest_scores_, scores);
  }

  void end(const std::string &name) {
    learners_.at(name).done = true;
    learners_.at(name).checkpoint = learners_.at(name).version;
    news_.push_back({name, {}, 0, true});
  }

  void hear() {
    const auto next = news_.front();
    news_.erase(news_.begin());
    if (next.end)
      for (const auto &[id, outcome] : book_.retire(next.learner)) apply(id, outcome, "ended");
    const bool trained = next.guard.empty();
    for (const auto id : next.ids)
      apply(id, trained ? book_.train(next.learner, id) : book_.skip(next.learner, id),
            trained ? "made a version" : next.guard);
    if (next.learner == "reward" && !next.end) told_reward_ = next.version;
  }

  void apply(std::uint64_t id, const path_book::outcome &news, const std::string &cause) {
    if (news.buffered) books_.buffer(id), moved(id, rollout_state::buffered, cause);
    if (news.excused) books_.excuse(id);
    if (news.trained) books_.train(id), moved(id, rollout_state::trained, cause);
    if (news.dropped) books_.drop(id, cause), moved(id, rollout_state::dropped, cause);
    if (news.forfeited) books_.forfeit(group);
  }

  run_history write_and_read(const std::optional<learner_versions> &checkpoints) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    journal_writer writer(folder_);
    for (const auto &event : journal_) writer.append({1, event});
    writer.sync();
    return checkpoints ? read_history(folder_, *checkpoints) : read_history(folder_);
  }

  /// Of the journal, what was not asked to be on the disk may be lost.
  void crash() {
    ++crashes_;
    journal_.resize(durable_ + roll(journal_.size() - durable_ + 1));
    if (journal_.empty()) note(run_opened{"random", 0, group, false, groups_per_batch()});
    learner_versions checkpoints;
    for (auto &[name, mine] : learners_) checkpoints[name] = mine.checkpoint;
    const auto history = write_and_read(checkpoints);
    note(run_resumed{checkpoints});
    durable_ = journal_.size();
    books_ = restored_books(fresh(), batch_, history);
    book_ = restored_paths(history);
    drawn_ = history.next_id();
    waiting_.clear();
    arrivals_.clear();
    news_.clear();
    for (const auto &[id, oldest] : waiting_again(history))
      waiting_[id] = {oldest, history.prompts.at(id).model_versions.at("reward")};
    for (auto &[path, buffer] : buffers_) {
      buffer = restored_buffer(empty(), history, path);
      heard_before_[path] = heard_before(history, path);
    }
    told_reward_ = size_.alone ? 0 : checkpoints.at("reward");
    for (auto &[name, mine] : learners_) {
      mine.version = mine.checkpoint;
      mine.in_hand.reset();
      mine.done = false;
      mine.batches.erase(mine.batches.upper_bound(mine.version), mine.batches.end());
      if (name != "reward" && mine.version == updates) end(name);
    }
  }

  shape size_;
  std::int64_t batch_;
  std::mt19937_64 dice_;
  std::filesystem::path folder_;
  ledger books_{fresh()};
  path_book book_{groups_per_batch()};
  std::map<std::string, shared_batches> buffers_;
  std::map<std::string, std::set<std::uint64_t>> heard_before_;
  std::map<std::string, trainee> learners_;
  std::map<std::uint64_t, oldest_versions> waiting_;
  std::vector<arrival> arrivals_;
  std::vector<message> news_;
  std::vector<journal_event> journal_;
  std::size_t durable_ = 0;
  std::uint64_t drawn_ = 0;
  std::int64_t told_reward_ = 0, in_flight_ = 0, oldest_values_ = 0, oldest_scores_ = 0, tripped_ = 0;
  int crashes_ = 0;
};

}  // namespace

TEST_CASE("policy, critic and reward model learn whatever the schedule, within the promised ages") {
  const test::scratch folder;
  std::map<std::int64_t, std::int64_t> values, scores;  // the largest ages, by lead
  std::int64_t reward_updates = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    INFO("schedule " << seed);
    const shape size{1 + static_cast<std::int64_t>(seed % 3), static_cast<std::int64_t>(seed / 3 % 4)};
    random_run run(size, seed, folder / "journal");
    while (run.step()) {
    }
    REQUIRE(run.verdict() == "");
    CHECK(run.oldest_values() <= size.lead);
    CHECK(run.oldest_scores() <= 2 * size.lead + 2);
    values[size.lead] = std::max(values[size.lead], run.oldest_values());
    scores[size.lead] = std::max(scores[size.lead], run.oldest_scores());
    reward_updates += run.reward_updates();
  }
  CHECK(values == std::map<std::int64_t, std::int64_t>{{0, 0}, {1, 1}, {2, 2}, {3, 3}});
  CHECK(scores[0] >= 1);  // it moves on while the policy learns
  CHECK(scores[3] > scores[0]);
  CHECK(reward_updates > 600);
}

TEST_CASE("killed at any moment, several learners go on, and none trains twice or misses a group") {
  const test::scratch folder;
  std::int64_t crashes = 0, tripped = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    INFO("schedule " << seed);
    shape size{1 + static_cast<std::int64_t>(seed % 3), static_cast<std::int64_t>(seed / 3 % 3)};
    size.crashes = true;
    size.main_drops = seed % 2 == 1;
    size.guards = seed % 4 >= 2;
    size.alone = seed % 5 == 4;
    random_run run(size, seed, folder / "journal");
    while (run.step()) {
    }
    REQUIRE(run.verdict() == "");
    crashes += run.crashes();
    tripped += run.tripped();
    CHECK(run.oldest_values() <= size.lead);
    if (!size.main_drops) CHECK(run.oldest_scores() <= 2 * size.lead + 2);
  }
  CHECK(crashes > 500);
  CHECK(tripped > 300);
}

TEST_CASE("learners of one path get the same batches, however far apart they are") {
  shared_batches batches(order_buffer(order_rows()[0], {}, 2), {{"slow", {}}, {"fast", {}}});
  const auto put = [&](std::uint64_t id) {
    auto made = std::make_shared<sample_group>();
    made->id = id;
    made->rollouts = 1;
    batches.draw(id, 0);
    batches.put(made);
  };
  for (std::uint64_t id = 0; id < 4; ++id) put(id);
  CHECK_FALSE(batches.take("fast", 0));
  batches.compose();
  batches.compose();
  const auto first = batches.take("fast", 0), second = batches.take("fast", 1);
  REQUIRE((first && second));
  CHECK(batches.compose().empty());
  CHECK_FALSE(batches.take("fast", 2));
  CHECK(batches.held() == 2);
  CHECK(batches.take("slow", 0)->groups == first->groups);
  CHECK(batches.held() == 1);
  CHECK_THROWS_AS(batches.take("slow", 0), run_error);  // not its next one
  CHECK_THROWS_AS(batches.take("stranger", 0), run_error);
  CHECK(batches.take("slow", 1)->groups == second->groups);
  CHECK(batches.held() == 0);
}

TEST_CASE("a group is trained when its last learner has, and dropped when its last path does") {
  path_book book({{"policy", "advantage"}, {"critic", "advantage"}, {"reward", "pairs"}});
  CHECK(book.keep("advantage", 0).buffered);
  CHECK_FALSE(book.keep("pairs", 0).buffered);
  CHECK_FALSE(book.train("policy", 0).trained);
  CHECK_FALSE(book.train("reward", 0).trained);
  CHECK(book.train("critic", 0).trained);

  book.keep("advantage", 1);
  book.train("policy", 1);
  book.train("critic", 1);
  const auto tie = book.drop("pairs", 1);  // the last word on it
  CHECK((tie.trained && !tie.dropped && !tie.excused));

  const auto late = book.drop("advantage", 2);
  CHECK((late.excused && !late.dropped));
  CHECK(book.drop("pairs", 2).dropped);

  book.keep("advantage", 3);
  book.train("policy", 3);
  book.train("critic", 3);
  const auto freed = book.retire("reward");
  REQUIRE(freed.size() == 1);
  CHECK((freed.front().first == 3 && freed.front().second.trained));
  CHECK_FALSE(book.keep("pairs", 3).buffered);  // nobody listens to this path any more
  CHECK_THROWS_AS(book.keep("nowhere", 4), run_error);
}

TEST_CASE("what a guard leaves untrained is trained if another learner did, else dropped with its place") {
  path_book both({{"policy", "advantage"}, {"critic", "advantage"}}),
      alone(std::vector<learner_path>{{"policy", "advantage"}});
  for (auto *book : {&both, &alone}) book->keep("advantage", 0);
  CHECK_FALSE(both.skip("policy", 0).dropped);
  CHECK(both.train("critic", 0).trained);
  const auto lost = alone.skip("policy", 0);
  CHECK((lost.dropped && lost.forfeited && !lost.trained));
}

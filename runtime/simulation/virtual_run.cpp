#include "runtime/simulation/virtual_run.hpp"

#include <cmath>
#include <queue>
#include <random>
#include <set>
#include <tuple>
#include <utility>

namespace slipstream {
namespace {

enum class happening : std::uint8_t {
  load,
  finish,
  score,
  receive,
  die,
  train,
  waited,
  ledger_mail,
  buffer_mail
};

struct event {
  double at = 0;
  std::int64_t number = 0;  // events of the same time, in the order of their making
  happening what = happening::load;
  std::uint64_t id = 0;
  std::size_t place = 0;  // a sampler, a path or a learner
  std::int64_t life = 0;  // of the sampler when the event was made
  bool operator>(const event &other) const { return std::tie(at, number) > std::tie(other.at, other.number); }
};

class virtual_run {
 public:
  virtual_run(model_setup setup, const virtual_costs &costs, std::uint64_t seed)
      : costs_(costs),
        dice_(seed),
        model_((setup.mail_at_once = costs.mail <= 0, std::move(setup))),
        lives_(model_.samplers().size(), 0) {
    if (costs_.lifetime > 0)
      for (std::size_t i = 0; i < lives_.size(); ++i)
        plan(happening::die, i, exponential(costs_.lifetime), i);
  }

  virtual_report go(std::int64_t most_events) {
    virtual_report report;
    prepare();
    while (!model_.done() && !queue_.empty() && report.events < most_events) {
      const auto next = queue_.top();
      queue_.pop();
      now_ = next.at;
      happen(next);
      prepare();
      ++report.events;
    }
    read_all_mail();  // the books of the last batch
    report.finished = model_.done();
    report.seconds = now_;
    report.oldest = model_.oldest();
    report.oldest_steps = model_.oldest_steps();
    report.longest_wait = model_.longest_wait();
    report.short_batches = model_.short_batches();
    report.changes = model_.changes();
    report.totals = model_.books().totals();
    if (!report.finished) report.stuck = model_.fingerprint();
    return report;
  }

 private:
  double chance() { return static_cast<double>(dice_() >> 11) * 0x1p-53; }
  double exponential(double mean) { return -mean * std::log1p(-chance()); }
  double generation_time() {
    double time = costs_.generate;
    if (costs_.spread > 0) time *= 0.5 * std::pow(1 - chance(), -costs_.spread);
    if (chance() < costs_.straggler_share) time *= costs_.straggler_factor;
    return time;
  }

  /// `place`: of a sampler, a path or a learner, as what happens calls for.
  void plan(happening what, std::uint64_t id, double after, std::size_t place = 0) {
    if (!planned_.emplace(what, of_path(what) ? place : 0, id).second) return;
    queue_.push({now_ + after, ++made_, what, id, place, place < lives_.size() ? lives_[place] : 0});
  }

  /// Gives whatever can move now, and has no time yet, a time at which it will.
  void prepare() {
    for (auto able = model_.able_samplers(); !able.empty(); able = model_.able_samplers()) {
      const auto sampler = able[dice_() % able.size()];
      planned_.erase({happening::finish, 0, model_.start(sampler)});  // an earlier sampler's, who is gone
      for (const auto &[id, begun] : model_.samplers()[sampler].running)
        plan(happening::finish, id, generation_time(), sampler);
    }
    if (model_.loader_asked()) plan(happening::load, 0, costs_.load);
    for (const auto &[which, group] : model_.unscored())
      plan(happening::score, which.id, exponential(costs_.score), which.path);
    for (std::size_t i = 0; i < model_.samplers().size(); ++i)
      if (!model_.samplers()[i].coming.empty()) plan(happening::receive, i, exponential(costs_.transfer), i);
    for (const auto learner : model_.training())
      plan(happening::train, 0, costs_.train * (0.5 + chance()), learner);
    for (const auto &[path, version] : model_.timers())
      plan(happening::waited, static_cast<std::uint64_t>(version), model_.setup().rules.batch_after, path);
    if (model_.mail_for_ledger()) plan(happening::ledger_mail, 0, exponential(costs_.mail));
    for (std::size_t path = 0; path < model_.paths().size(); ++path)
      if (model_.mail_for_buffer(path)) plan(happening::buffer_mail, 0, exponential(costs_.mail), path);
  }

  void happen(const event &it) {
    const bool of_a_dead_sampler =
        (it.what == happening::finish || it.what == happening::receive) && it.life != lives_[it.place];
    if (of_a_dead_sampler) return;
    planned_.erase({it.what, of_path(it.what) ? it.place : 0, it.id});
    switch (it.what) {
      case happening::load:
        return model_.loader_answers();
      case happening::finish:
        return model_.finish(it.place, it.id);
      case happening::score:
        return chance() < costs_.reject ? model_.reject({it.place, it.id}) : model_.score({it.place, it.id});
      case happening::receive:
        return model_.receive(it.place);
      case happening::die:
        model_.die(it.place);
        ++lives_[it.place];
        planned_.erase({happening::receive, 0, it.id});
        return plan(happening::die, it.id, exponential(costs_.lifetime), it.place);
      case happening::train:
        return train(it.place);
      case happening::waited:
        if (const auto timer = model_.timers().find(it.place);
            timer != model_.timers().end() && timer->second == static_cast<std::int64_t>(it.id))
          model_.wait_long_enough(it.place);
        return;
      case happening::ledger_mail:
        return model_.handle_ledger_mail();
      case happening::buffer_mail:
        return model_.handle_buffer_mail(it.place);
    }
  }

  void train(std::size_t learner) {
    const schedule_controller::figures figures{{"ess", chance()}, {"kl", chance()}};
    model_.train(learner, {chance() < costs_.guard, figures});
  }

  void read_all_mail() {
    for (bool any = true; any;) {
      any = model_.mail_for_ledger();
      if (any) model_.handle_ledger_mail();
      for (std::size_t path = 0; path < model_.paths().size(); ++path)
        for (; model_.mail_for_buffer(path); any = true) model_.handle_buffer_mail(path);
    }
  }

  /// Whether the same id may be on its way in several places at once.
  static bool of_path(happening what) {
    return what == happening::score || what == happening::train || what == happening::waited ||
           what == happening::buffer_mail;
  }

  virtual_costs costs_;
  std::mt19937_64 dice_;
  schedule_model model_;
  std::vector<std::int64_t> lives_;
  double now_ = 0;
  std::int64_t made_ = 0;
  std::priority_queue<event, std::vector<event>, std::greater<>> queue_;
  std::set<std::tuple<happening, std::size_t, std::uint64_t>> planned_;
};

}  // namespace

virtual_report run_virtually(const model_setup &setup, const virtual_costs &costs, std::uint64_t seed,
                             std::int64_t most_events) {
  return virtual_run(setup, costs, seed).go(most_events);
}

}  // namespace slipstream

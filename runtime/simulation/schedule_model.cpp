#include "runtime/simulation/schedule_model.hpp"

#include <algorithm>
#include <utility>

#include "models/error.hpp"

namespace slipstream {

using kind = schedule_model::message::kind;

model_setup model_setup::of(schedule_rules rules, const order_row &order, std::int64_t group,
                            std::int64_t updates) {
  model_setup setup;
  auto derived = derive_contract(rules, order, group);
  if (derived.fault) throw input_error(derived.fault->message);
  setup.contract = std::move(derived.contract);
  setup.buffer.window = rules.window.first;
  setup.buffer.window_most = rules.window.most;
  setup.buffer.late_after = setup.contract.late_after;
  setup.buffer.when_late = rules.when_late;
  setup.buffer.promised = setup.contract.bound.has_value();
  setup.rules = std::move(rules);
  setup.order = order;
  setup.group = group;
  setup.updates = updates;
  return setup;
}

schedule_model::schedule_model(model_setup setup)
    : setup_(std::move(setup)),
      least_((setup_.rules.batch_least + setup_.group - 1) / setup_.group),
      books_(admission(setup_.rules.batch, setup_.contract.lead.first), setup_.group,
             setup_.rules.batch * setup_.updates, {setup_.rules.max_running, setup_.rules.max_in_flight}),
      buffer_(setup_.order, setup_.buffer, setup_.rules.batch / setup_.group),
      samplers_(setup_.samplers),
      lead_(setup_.contract.lead.first),
      window_(setup_.rules.window.first),
      publish_every_(setup_.rules.publish_every.first),
      steps_{0} {
  for (auto &each : samplers_) each.coming.push_back(0);
  pull();
}

void schedule_model::tell_ledger(message text) {
  to_ledger_.push_back(std::move(text));
  post();
}

void schedule_model::tell_buffer(message text) {
  to_buffer_.push_back(std::move(text));
  post();
}

void schedule_model::post() {
  if (!setup_.mail_at_once || std::exchange(posting_, true)) return;
  while (mail_for_ledger() || mail_for_buffer())
    mail_for_ledger() ? handle_ledger_mail() : handle_buffer_mail();
  posting_ = false;
}

void schedule_model::handle_ledger_mail() {
  const auto text = std::move(to_ledger_.front());
  to_ledger_.pop_front();
  ledger_reads(text);
  books_.totals();  // throws when the books do not close
}

void schedule_model::handle_buffer_mail() {
  const auto text = std::move(to_buffer_.front());
  to_buffer_.pop_front();
  buffer_reads(text);
}

// The ledger: as in actors/ledger.cpp.

std::int64_t schedule_model::newest() const {
  std::int64_t newest = -1;
  for (const auto &each : samplers_) newest = std::max(newest, each.known);
  return newest;
}

void schedule_model::book() {
  message draws{kind::drawn};
  for (auto room = books_.room(newest()); room > 0 && spare_ > 0; --room, --spare_) {
    const auto id = next_++;
    draws.ids.push_back(id);
    draws.min_versions.push_back(books_.draw(id));
    min_versions_[id] = draws.min_versions.back();
    drawn_at_[id] = version_;
    waiting_.push_back(id);
  }
  if (!draws.ids.empty()) tell_buffer(std::move(draws));
}

void schedule_model::pump() {
  book();
  if (asked_ > 0 || spare_ > 0) return;
  asked_ = books_.room(newest());
  if (setup_.most_drawn > 0) asked_ = std::min(asked_, setup_.most_drawn - static_cast<std::int64_t>(next_));
}

void schedule_model::ledger_reads(const message &text) {
  switch (text.what) {
    case kind::prompts:
      spare_ += std::exchange(asked_, 0);
      answered_ = false;
      return pump();
    case kind::credit:
      if (samplers_[text.id].life != text.life) return;  // from one who died
      samplers_[text.id].known = text.number;
      return pump();
    case kind::finished:
      return books_.finish(text.id);
    case kind::buffered:
      return books_.buffer(text.id);
    case kind::dropped:
      books_.drop(text.id, "dropped");
      return pump();
    case kind::trained:
      for (const auto id : text.ids) books_.train(id);
      return pump();
    case kind::given_up:
      for (const auto id : text.ids) books_.give_up(id, "brake");
      return;
    case kind::lead:
      books_.set_lead(text.number);
      return pump();
    case kind::forfeit:
      books_.forfeit(text.number * setup_.group);
      if (text.number < 0) return pump();
      return tell_buffer({kind::forfeited});
    default:
      throw run_error("model: the ledger has no use for this message");
  }
}

void schedule_model::loader_answers() {
  answered_ = true;
  tell_ledger({kind::prompts});
}

std::vector<std::size_t> schedule_model::able_samplers() const {
  std::vector<std::size_t> able;
  if (waiting_.empty() || !books_.may_start()) return able;
  const auto needed = min_versions_.at(waiting_.front());
  for (std::size_t i = 0; i < samplers_.size(); ++i)
    if (samplers_[i].known >= needed && static_cast<std::int64_t>(samplers_[i].running.size()) < setup_.slots)
      able.push_back(i);
  return able;
}

// Samplers, scorers and the transfer of weights.

std::uint64_t schedule_model::start(std::size_t index) {
  const auto id = waiting_.front();
  waiting_.pop_front();
  books_.start(id);
  samplers_[index].running.emplace(id, samplers_[index].held);
  return id;
}

void schedule_model::finish(std::size_t index, std::uint64_t id) {
  auto &from = samplers_[index];
  const auto begun = from.running.extract(id).mapped();
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = setup_.group;
  group->samples.resize(1);
  group->samples[0].versions = {begun};
  if (setup_.rules.on_new_weights == new_weights::carry_on) group->samples[0].versions.push_back(from.held);
  unscored_.emplace(id, std::move(group));
  tell_ledger({kind::finished, 0, id});
}

void schedule_model::score(std::uint64_t id) {
  message text{kind::arrived, 0, id};
  text.group = unscored_.extract(id).mapped();
  tell_buffer(std::move(text));
}

void schedule_model::reject(std::uint64_t id) {
  unscored_.erase(id);
  tell_buffer({kind::arrived, 0, id});
}

void schedule_model::receive(std::size_t index) {
  auto &to = samplers_[index];
  to.held = to.coming.front();
  to.coming.pop_front();
  message text{kind::credit, to.held, index};
  text.life = to.life;
  tell_ledger(std::move(text));
}

void schedule_model::die(std::size_t index) {
  auto &gone = samplers_[index];
  for (auto each = gone.running.rbegin(); each != gone.running.rend(); ++each) {
    books_.reissue(each->first);
    waiting_.push_front(each->first);
  }
  gone = sampler{-1, -1, {}, {}, gone.life + 1};
  gone.coming.push_back(published_);
}

// The buffer: as in actors/buffer.cpp.

void schedule_model::buffer_reads(const message &text) {
  switch (text.what) {
    case kind::drawn:
      for (std::size_t i = 0; i < text.ids.size(); ++i) buffer_.draw(text.ids[i], text.min_versions[i]);
      return;
    case kind::arrived:
      if (text.group)
        buffer_.put(text.group);
      else
        buffer_.drop(text.id);
      tell_ledger({text.group ? kind::buffered : kind::dropped, 0, text.id});
      return serve();
    case kind::window:
      buffer_.set_window(text.number);
      return serve();
    case kind::waited:
      if (text.number != pulls_) return;
      waited_ = true;
      return serve();
    case kind::pull:
      pulling_ = true;
      waited_ = false;
      pulled_ = text.number;
      ++pulls_;
      return serve();
    case kind::forfeited:
      return forfeits_booked();
    default:
      throw run_error("model: the buffer has no use for this message");
  }
}

void schedule_model::serve() {
  if (!pulling_ || forfeiting_ != 0) return;
  const auto offer = buffer_.take(pulled_);
  for (const auto id : offer.late) tell_ledger({kind::dropped, 0, id});
  if (!offer.batch.empty())
    deliver(offer.batch);
  else
    go_short();
}

void schedule_model::go_short() {
  if (!waited_ || forfeiting_ != 0) return;
  const auto groups = buffer_.short_batch(pulled_, least_);
  if (groups == 0) return;
  forfeiting_ = buffer_.places() - groups;
  tell_ledger({kind::forfeit, forfeiting_});
}

void schedule_model::forfeits_booked() {
  const auto booked = std::exchange(forfeiting_, 0);
  const auto again = buffer_.short_batch(pulled_, least_);
  const auto missing = again == 0 ? 0 : buffer_.places() - again;
  if (missing != booked) tell_ledger({kind::forfeit, missing - booked});
  if (again == 0) return serve();
  short_batches_ += missing > 0 ? 1 : 0;
  deliver(buffer_.take_short(pulled_));
}

void schedule_model::deliver(const std::vector<sample_group_ptr> &batch) {
  pulling_ = false;
  for (const auto &group : batch) {
    batch_.push_back(group->id);
    const auto made_by = oldest_version(*group, version_);
    oldest_ = std::max(oldest_, version_ - made_by);
    oldest_steps_ = std::max(oldest_steps_, steps_[static_cast<std::size_t>(version_)] -
                                                steps_[static_cast<std::size_t>(made_by)] + setup_.steps - 1);
    longest_wait_ = std::max(longest_wait_, version_ - drawn_at_.at(group->id));
  }
}

// The learner: as in actors/learner.cpp.

void schedule_model::pull() {
  tell_buffer({kind::pull, version_});
}

void schedule_model::wait_long_enough() {
  patience_ = pulls_;
  tell_buffer({kind::waited, pulls_});
}

void schedule_model::train(const outcome &result) {
  ++version_;
  steps_.push_back(steps_.back() + (result.braked ? 0 : setup_.steps));
  if (version_ - published_ >= publish_every_ || done()) {
    published_ = version_;
    for (auto &each : samplers_) each.coming.push_back(version_);
  }
  publish_every_ = result.publish_every;
  if (result.lead != std::exchange(lead_, result.lead)) tell_ledger({kind::lead, lead_});
  if (result.window != std::exchange(window_, result.window)) tell_buffer({kind::window, window_});
  message text{result.braked ? kind::given_up : kind::trained};
  text.ids = std::exchange(batch_, {});
  tell_ledger(std::move(text));
  if (result.braked) tell_ledger({kind::trained});  // nothing, but there is a new version
  if (!done()) pull();
}

namespace {

class text_of {
 public:
  text_of &operator<<(std::int64_t number) {
    text_ += std::to_string(number);
    text_ += ' ';
    return *this;
  }
  template <class Numbers>
  text_of &all(const Numbers &numbers) {
    for (const auto number : numbers) *this << static_cast<std::int64_t>(number);
    return *this << -9;
  }
  text_of &mail(const std::deque<schedule_model::message> &box) {
    for (const auto &each : box) {
      *this << static_cast<std::int64_t>(each.what) << each.number << static_cast<std::int64_t>(each.id)
            << each.life;
      all(each.ids).all(each.min_versions);
      if (each.group) all(each.group->samples[0].versions);
    }
    return *this << -8;
  }
  text_of &append(const std::string &other) {
    text_ += other;
    return *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string schedule_model::fingerprint() const {
  text_of text;
  text << version_ << published_ << lead_ << window_ << publish_every_ << asked_ << spare_
       << static_cast<std::int64_t>(next_) << answered_ << (patience_ == pulls_) << pulling_ << waited_
       << pulled_ << forfeiting_ << books_.forfeited() << books_.lead();
  text.all(waiting_).all(batch_);
  std::vector<std::string> samplers;
  for (const auto &each : samplers_) {
    text_of one;
    one << each.held << each.known << (setup_.mail_at_once ? 0 : each.life);
    one.all(each.coming);
    for (const auto &[id, begun] : each.running) one << static_cast<std::int64_t>(id) << begun;
    samplers.push_back(one.take());
  }
  // samplers are alike, unless a letter names one
  if (setup_.mail_at_once) std::sort(samplers.begin(), samplers.end());
  for (const auto &each : samplers) text.append(each) << -7;
  for (const auto &[id, group] : unscored_)
    text << static_cast<std::int64_t>(id) << group->samples[0].versions[0];
  text << -6;
  const std::map<std::uint64_t, rollout_state> states(books_.in_flight().begin(), books_.in_flight().end());
  for (const auto &[id, state] : states)
    text << static_cast<std::int64_t>(id) << static_cast<std::int64_t>(state) << min_versions_.at(id);
  const auto &totals = books_.totals();
  text << -5 << totals.trained << totals.dropped_total();
  for (const auto &[id, group] : buffer_.pool().in_flight())
    text << static_cast<std::int64_t>(id) << group.min_version << group.oldest << group.ready()
         << buffer_.pool().overtaken_by(id);
  text << -4;
  text.all(buffer_.pool().by_arrival()).all(buffer_.pool().consumed_ids());
  return text.mail(to_ledger_).mail(to_buffer_).take();
}

}  // namespace slipstream

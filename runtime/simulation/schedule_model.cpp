#include "runtime/simulation/schedule_model.hpp"

#include <algorithm>
#include <utility>

#include "models/error.hpp"
#include "runtime/journal/overloaded.hpp"

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

namespace {

std::vector<std::string> paths_of(const model_setup &setup) {
  std::vector<std::string> paths;
  for (const auto &each : setup.learners)
    if (std::find(paths.begin(), paths.end(), each.path) == paths.end()) paths.push_back(each.path);
  return paths;
}

ledger_machine make_ledger(const model_setup &setup) {
  ledger_paths paths{path_book(setup.learners)};
  return {ledger(admission(setup.rules.batch, setup.contract.lead.first), setup.group,
                 setup.rules.batch * setup.updates, {setup.rules.max_running, setup.rules.max_in_flight}),
          true,
          {},
          std::move(paths)};
}

}  // namespace

schedule_model::schedule_model(model_setup setup)
    : setup_(std::move(setup)),
      paths_(paths_of(setup_)),
      ledger_(make_ledger(setup_)),
      samplers_(setup_.samplers),
      batches_(setup_.learners.size()),
      to_buffer_(paths_.size()) {
  for (std::size_t path = 0; path < paths_.size(); ++path) buffers_.push_back(make_buffer(path));
  for (std::size_t i = 0; i < setup_.learners.size(); ++i) learners_.push_back(make_learner(i));
  for (auto &each : samplers_) each.coming.push_back(0);
  carry_out(ledger_.loader_ready());
  for (std::size_t i = 0; i < learners_.size(); ++i) carry_out_learner(i, learners_[i].begin());
}

/// Paths beside the main one go in the order of the draws, without a promise.
buffer_machine schedule_model::make_buffer(std::size_t path) const {
  std::map<std::string, shared_batches::place> learners;
  for (const auto &each : setup_.learners)
    if (each.path == paths_[path]) learners[each.learner] = {};
  const bool main = path == 0;
  order_state aside;
  aside.promised = false;
  buffer_rules rules{
      shared_batches(order_buffer(main ? setup_.order : order_rows().front(), main ? setup_.buffer : aside,
                                  setup_.rules.batch / setup_.group),
                     learners)};
  rules.path = paths_[path];
  rules.group = setup_.group;
  if (main) rules.least = (setup_.rules.batch_least + setup_.group - 1) / setup_.group;
  return buffer_machine(std::move(rules));
}

learner_machine schedule_model::make_learner(std::size_t which) const {
  learner_rules rules;
  rules.name = setup_.learners[which].learner;
  rules.updates = path_of(which) == 0 ? setup_.updates : 0;
  if (which == 0)
    rules.dials = {{{"lead", setup_.contract.lead},
                    {"window", setup_.rules.window},
                    {"publish_every", setup_.rules.publish_every}},
                   setup_.rules.brakes};
  return learner_machine(std::move(rules));
}

std::size_t schedule_model::path_of(std::size_t learner) const {
  const auto found = std::find(paths_.begin(), paths_.end(), setup_.learners[learner].path);
  return static_cast<std::size_t>(found - paths_.begin());
}

// Mail.

void schedule_model::tell_ledger(message text) {
  to_ledger_.push_back(std::move(text));
  post();
}

void schedule_model::tell_buffer(std::size_t path, message text) {
  to_buffer_[path].push_back(std::move(text));
  post();
}

void schedule_model::post() {
  if (!setup_.mail_at_once || std::exchange(posting_, true)) return;
  for (bool any = true; any;) {
    any = mail_for_ledger();
    if (any) handle_ledger_mail();
    for (std::size_t path = 0; path < paths_.size() && !any; ++path) {
      any = mail_for_buffer(path);
      if (any) handle_buffer_mail(path);
    }
  }
  posting_ = false;
}

void schedule_model::handle_ledger_mail() {
  const auto text = std::move(to_ledger_.front());
  to_ledger_.pop_front();
  carry_out(ledger_reads(text));
  books().totals();  // throws when the books do not close
}

void schedule_model::handle_buffer_mail(std::size_t path) {
  const auto text = std::move(to_buffer_[path].front());
  to_buffer_[path].pop_front();
  carry_out(path, buffer_reads(path, text));
}

// The ledger's side.

ledger_machine::decisions schedule_model::ledger_reads(const message &text) {
  switch (text.what) {
    case kind::lines: {
      std::vector<drawn> lines;
      for (std::int64_t i = 0; i < text.number; ++i) {
        auto line = std::make_shared<example>();
        line->id = next_++;
        lines.push_back({std::move(line), {}, nullptr});
      }
      return ledger_.prompts(lines);
    }
    case kind::credit:
      return ledger_.credit(text.which, text.number, text.other);
    case kind::lost: {
      lost_work held;
      for (const auto id : text.ids) held.prompts.emplace(id, begun_samples());
      return ledger_.lost(text.which, held);
    }
    case kind::sampled:
      return ledger_.finished(text.id);
    case kind::kept:
      return ledger_.kept(paths_[text.which], text.id);
    case kind::dropped:
      return ledger_.dropped(paths_[text.which], text.id, "dropped");
    case kind::trained:
      return ledger_.trained(setup_.learners[text.which].learner, text.ids, text.number);
    case kind::left:
      return ledger_.left_untrained(setup_.learners[text.which].learner, text.ids, "brake");
    case kind::retired:
      return ledger_.retired(setup_.learners[text.which].learner);
    case kind::lead:
      return ledger_.set_lead(text.number);
    case kind::forfeit: {
      auto decisions = ledger_.forfeit(text.number);
      tell_buffer(text.which, {kind::booked});
      return decisions;
    }
    case kind::correct:
      return ledger_.forfeit(text.number);
    default:
      throw run_error("model: the ledger has no use for this message");
  }
}

void schedule_model::carry_out(ledger_machine::decisions decisions) {
  namespace to = ledger_decisions;
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::hand_out &given) {
                     samplers_[given.sampler].given.emplace(given.prompt->source->id,
                                                            given.prompt->min_version);
                   },
                   [&](to::ask_loader &asked) { asked_ = asked.lines; },
                   [&](to::announce_draws &told) {
                     for (const auto &each : told.draws) drawn_at_[each.id] = version();
                     for (std::size_t path = 0; path < paths_.size(); ++path) {
                       message text{kind::drawn};
                       text.draws = told.draws;
                       tell_buffer(path, std::move(text));
                     }
                   },
                   [](auto &) {},  // what is for the disk and for watchers
               },
               decision);
}

bool schedule_model::loader_asked() const {
  return asked_ > 0 && (setup_.most_drawn == 0 || static_cast<std::int64_t>(next_) < setup_.most_drawn);
}

void schedule_model::loader_answers() {
  auto lines = std::exchange(asked_, 0);
  if (setup_.most_drawn > 0) lines = std::min(lines, setup_.most_drawn - static_cast<std::int64_t>(next_));
  tell_ledger({kind::lines, lines});
}

// Samplers, scorers and the transfer of weights.

namespace {

/// The oldest prompt that a sampler may begin with the weights that it holds, or the end.
auto startable(const schedule_model::sampler &sampler) {
  return std::find_if(sampler.given.begin(), sampler.given.end(),
                      [&](const auto &each) { return each.second <= sampler.held; });
}

}  // namespace

std::vector<std::size_t> schedule_model::able_samplers() const {
  std::vector<std::size_t> able;
  for (std::size_t i = 0; i < samplers_.size(); ++i)
    if (static_cast<std::int64_t>(samplers_[i].running.size()) < setup_.slots &&
        startable(samplers_[i]) != samplers_[i].given.end())
      able.push_back(i);
  return able;
}

std::uint64_t schedule_model::start(std::size_t index) {
  auto &by = samplers_[index];
  const auto next = startable(by);
  const auto id = next->first;
  by.given.erase(next);
  by.running.emplace(id, by.held);
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
  for (std::size_t path = 0; path < paths_.size(); ++path) unscored_.emplace(unscored_group{path, id}, group);
  tell_ledger({kind::sampled, 0, 0, 0, id});
  tell_ledger({kind::credit, 1, from.held, index});
}

void schedule_model::score(unscored_group which) {
  message text{kind::arrived};
  text.group = unscored_.extract(which).mapped();
  tell_buffer(which.path, std::move(text));
}

void schedule_model::reject(unscored_group which) {
  unscored_.erase(which);
  auto empty = std::make_shared<sample_group>();
  empty->id = which.id;
  empty->rollouts = setup_.group;
  empty->drop_reason = "dropped";
  message text{kind::arrived};
  text.group = std::move(empty);
  tell_buffer(which.path, std::move(text));
}

void schedule_model::receive(std::size_t index) {
  auto &to = samplers_[index];
  const bool first = to.held < 0;
  to.held = to.coming.front();
  to.coming.pop_front();
  tell_ledger({kind::credit, first ? setup_.slots : 0, to.held, index});
}

void schedule_model::die(std::size_t index) {
  auto &gone = samplers_[index];
  message text{kind::lost, 0, 0, index};
  for (const auto &[id, begun] : gone.running) text.ids.push_back(id);
  for (const auto &[id, version] : gone.given) text.ids.push_back(id);
  gone = {};
  gone.coming.push_back(published_);
  tell_ledger(std::move(text));
}

// The buffers' side.

buffer_machine::decisions schedule_model::buffer_reads(std::size_t path, const message &text) {
  auto &machine = buffers_[path];
  switch (text.what) {
    case kind::drawn:
      machine.drawn(text.draws);
      return {};
    case kind::arrived:
      return machine.put(text.group);
    case kind::window:
      return machine.set_window(text.number);
    case kind::waited:
      return machine.waited(text.number);
    case kind::pull:
      return machine.pull(setup_.learners[text.which].learner, text.number);
    case kind::stop:
      return machine.stop(setup_.learners[text.which].learner);
    case kind::booked:
      return machine.forfeit_booked();
    default:
      throw run_error("model: the buffer has no use for this message");
  }
}

void schedule_model::carry_out(std::size_t path, buffer_machine::decisions decisions) {
  namespace to = buffer_decisions;
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::deliver &given) { deliver(given.learner, given.batch); },
                   [&](to::keep &kept) {
                     tell_ledger({kind::kept, 0, 0, path, kept.id});
                   },
                   [&](to::drop &dropped) {
                     tell_ledger({kind::dropped, 0, 0, path, dropped.id});
                   },
                   [&](to::ask_forfeit &asked) {
                     tell_ledger({kind::forfeit, asked.rollouts, 0, path});
                   },
                   [&](to::correct_forfeit &by) {
                     tell_ledger({kind::correct, by.rollouts, 0, path});
                   },
                   [&](to::start_timer &timer) { timers_[path] = timer.version; },
                   [](to::record_event &) {},
               },
               decision);
  const auto timer = timers_.find(path);  // one that runs for a batch that has gone stops nobody
  if (timer != timers_.end() && timer->second != buffers_[path].groups().next()) timers_.erase(timer);
}

void schedule_model::wait_long_enough(std::size_t path) {
  tell_buffer(path, {kind::waited, timers_.extract(path).mapped()});
}

// The learners' side.

void schedule_model::deliver(const std::string &name, const batch_ptr &batch) {
  std::size_t which = 0;
  while (setup_.learners[which].learner != name) ++which;
  if (batch) {
    if (which == 0) measure(*batch);
    for (const auto &group : *batch) batches_[which].push_back(group->id);
  }
  carry_out_learner(which, learners_[which].batch_came(batch != nullptr));
}

void schedule_model::measure(const std::vector<sample_group_ptr> &batch) {
  const auto now = version();
  if (static_cast<std::int64_t>(batch.size()) < buffers_.front().groups().places()) ++short_batches_;
  for (const auto &group : batch) {
    const auto made_by = oldest_version(*group, now);
    oldest_ = std::max(oldest_, now - made_by);
    oldest_steps_ = std::max(oldest_steps_, steps_[static_cast<std::size_t>(now)] -
                                                steps_[static_cast<std::size_t>(made_by)] + setup_.steps - 1);
    longest_wait_ = std::max(longest_wait_, now - drawn_at_.at(group->id));
  }
}

std::vector<std::size_t> schedule_model::training() const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < learners_.size(); ++i)
    if (learners_[i].training()) found.push_back(i);
  return found;
}

bool schedule_model::done() const {
  return std::all_of(learners_.begin(), learners_.end(), [](const auto &each) { return each.finished(); });
}

void schedule_model::train(std::size_t which, const outcome &result) {
  if (which == 0) steps_.push_back(steps_.back() + (result.braked ? 0 : setup_.steps));
  update_outcome outcome{std::exchange(batches_[which], {}), result.braked ? "brake" : "", result.figures};
  carry_out_learner(which, learners_[which].trained(std::move(outcome)));
}

void schedule_model::steer(const std::string &dial, std::int64_t value) {
  learners_.front().steer(dial, value);
}

/// The run ends with its main learner; those with a pace of their own are told.
void schedule_model::stop_others() {
  for (std::size_t i = 1; i < learners_.size(); ++i)
    if (path_of(i) != 0) carry_out_learner(i, learners_[i].stop());
}

void schedule_model::carry_out_learner(std::size_t which, learner_machine::decisions decisions) {
  namespace to = learner_decisions;
  const auto path = path_of(which);
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::pull &wanted) {
                     tell_buffer(path, {kind::pull, wanted.version, 0, which});
                   },
                   [&](to::cancel_pull &) {
                     tell_buffer(path, {kind::stop, 0, 0, which});
                   },
                   [&](to::flush &wanted) { carry_out_learner(which, learners_[which].flushed(wanted.why)); },
                   [&](to::publish &out) {
                     if (which != 0) return;  // nobody samples from the others' models
                     published_ = out.version;
                     for (auto &each : samplers_) each.coming.push_back(out.version);
                   },
                   [&](to::set_lead &lead) {
                     tell_ledger({kind::lead, lead.versions});
                   },
                   [&](to::set_window &window) {
                     tell_buffer(path, {kind::window, window.groups});
                   },
                   [&](to::leave_untrained &left) {
                     tell_ledger({kind::left, 0, 0, which, 0, std::move(left.ids)});
                   },
                   [&](to::report_trained &done) {
                     tell_ledger({kind::trained, done.version, 0, which, 0, std::move(done.ids)});
                   },
                   [&](to::note_event &noted) {
                     if (std::holds_alternative<dial_turned>(noted.event)) ++turns_;
                   },
                   [&](to::finish &) {
                     tell_ledger({kind::retired, 0, 0, which});
                     if (which == 0) stop_others();
                   },
                   [](auto &) {},
               },
               decision);
}

// Fingerprints.

namespace {

void write_mail(state_text &text, const std::deque<schedule_model::message> &box) {
  for (const auto &each : box) {
    text << static_cast<std::int64_t>(each.what) << each.number << each.other
         << static_cast<std::int64_t>(each.which) << static_cast<std::int64_t>(each.id);
    text.all(each.ids);
    for (const auto &draw : each.draws) text << static_cast<std::int64_t>(draw.id) << draw.min_version;
    if (!each.group) continue;
    text << static_cast<std::int64_t>(each.group->id);
    for (const auto &sample : each.group->samples) text.all(sample.versions);
  }
  text.end();
}

void write_sampler(state_text &text, const schedule_model::sampler &each) {
  text << each.held;
  text.all(each.coming);
  for (const auto &[id, version] : each.given) text << static_cast<std::int64_t>(id) << version;
  text.end();
  for (const auto &[id, begun] : each.running) text << static_cast<std::int64_t>(id) << begun;
  text.end();
}

}  // namespace

std::string schedule_model::fingerprint() const {
  state_text text;
  text << published_ << asked_ << static_cast<std::int64_t>(next_);
  for (const auto &each : samplers_) write_sampler(text, each);
  for (const auto &[which, group] : unscored_)
    text << static_cast<std::int64_t>(which.path) << static_cast<std::int64_t>(which.id)
         << oldest_version(*group, -1);
  text.end();
  for (const auto &[path, version] : timers_) text << static_cast<std::int64_t>(path) << version;
  text.end();
  ledger_.write_state(text);
  for (const auto &each : buffers_) each.write_state(text);
  for (const auto &each : learners_) each.write_state(text);
  for (const auto &batch : batches_) text.all(batch);
  write_mail(text, to_ledger_);
  for (const auto &box : to_buffer_) write_mail(text, box);
  return text.take();
}

}  // namespace slipstream

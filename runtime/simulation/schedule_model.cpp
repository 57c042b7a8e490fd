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
    rules.controller = {{{"lead", setup_.contract.lead},
                         {"window", setup_.rules.window},
                         {"publish_every", setup_.rules.publish_every}},
                        setup_.rules.guards};
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

}  // namespace slipstream

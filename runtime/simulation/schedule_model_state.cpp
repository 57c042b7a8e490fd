#include "runtime/simulation/schedule_model.hpp"

namespace slipstream {

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

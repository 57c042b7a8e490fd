#include "runtime/topology/chaos.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "runtime/topology/resolved.hpp"
#include "runtime/topology/settings.hpp"

namespace slipstream {
namespace {

constexpr std::pair<const char *, chaos_event::action> actions[] = {
    {"kill", chaos_event::action::kill},
    {"stop", chaos_event::action::stop},
    {"resume", chaos_event::action::resume},
};

chaos_event read_event(const node &table) {
  settings s(table);
  chaos_event event;
  event.at = table.at;
  event.update = s.required_integer("update", 0);
  for (const auto &[name, action] : actions) {
    const auto replica = s.text(name, "");
    if (replica.empty()) continue;
    if (!event.replica.empty()) s.fail(name, "an event does one thing; make two of it");
    event.what = action;
    event.replica = replica;
  }
  s.finish();
  if (event.replica.empty())
    fail_at(table.at, "[chaos] an event names what it does to whom, as in { update = 40, kill = \"sampler-2\" }");
  return event;
}

}  // namespace

chaos_config read_chaos(const node &document) {
  chaos_config chaos;
  const node *table = document.find("chaos");
  if (table == nullptr) return chaos;
  chaos.at = table->at;
  settings s(*table);
  chaos.delay_weights_ms = std::llround(1000 * s.number("delay_weights", 0, 0, 3600));
  if (const auto *events = s.find("events")) {
    if (events->as_array() == nullptr)
      s.fail("events", "events is a list, such as [{ update = 40, kill = \"sampler-2\" }]");
    for (const auto &event : *events->as_array()) {
      if (event.as_table() == nullptr)
        fail_at(event.at, "[chaos] an event is a table, such as { update = 40, kill = \"sampler-2\" }");
      chaos.events.push_back(read_event(event));
    }
  }
  s.finish();
  return chaos;
}

std::string write_chaos(const chaos_config &chaos) {
  if (chaos.events.empty() && chaos.delay_weights_ms == 0) return "";
  std::string events;
  for (const auto &event : chaos.events) {
    const auto *name = "";
    for (const auto &[known, action] : actions)
      if (action == event.what) name = known;
    events += fmt::format("{}{{ update = {}, {} = {} }}", events.empty() ? "" : ", ", event.update, name,
                          write_text(event.replica));
  }
  return fmt::format("\n[chaos]\ndelay_weights = {}\nevents = [{}]\n",
                     write_number(static_cast<double>(chaos.delay_weights_ms) / 1000), events);
}

}  // namespace slipstream

#include "actors/journal.hpp"

#include <caf/all.hpp>

#include <memory>

#include "actors/services.hpp"
#include "runtime/journal/journal.hpp"

namespace slipstream {
namespace {

struct journal_state {
  static inline const char *name = "journal";
  std::unique_ptr<journal_writer> writer;
};

journal_actor::behavior_type journal_behavior(journal_actor::stateful_pointer<journal_state> self,
                                              const std::filesystem::path &folder) {
  fail_with_text(self);
  self->state.writer = std::make_unique<journal_writer>(folder);
  return {
      [self](const journal_event_ptr &event) {
        self->state.writer->append({now_ns(self), *event});
      },
      [self](flush_atom) {
        self->state.writer->sync();
        return flush_atom::value;
      },
  };
}

}  // namespace

journal_actor spawn_journal(caf::actor_system &system, const std::filesystem::path &folder, bool detached) {
  return detached ? system.spawn<caf::detached>(journal_behavior, folder)
                  : system.spawn(journal_behavior, folder);
}

}  // namespace slipstream

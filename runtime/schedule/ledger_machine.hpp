#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "runtime/journal/events.hpp"
#include "runtime/schedule/ledger.hpp"
#include "runtime/schedule/path_book.hpp"
#include "runtime/schedule/state_text.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// The state from which a run is resumed: the learner's version, and the prompts that wait again or continue,
/// with the oldest version that may generate their tokens.
struct resumed_books {
  std::int64_t version = 0;
  std::map<std::uint64_t, std::int64_t> waiting{};
  std::map<std::uint64_t, begun_samples> begun{};  ///< the tokens of the prompts that continue
  std::map<std::uint64_t, std::map<std::string, std::int64_t>>
      model_versions{};  ///< of those, where there are any
};

/// The learners of a run: who trains on which path, and the models of those that keep no step with the main
/// one.
struct ledger_paths {
  path_book book{};
  std::map<std::string, std::string> model_of{};   ///< learner to model
  std::map<std::string, std::int64_t> versions{};  ///< of those models, as the run begins or goes on
};

/// A sampler as the ledger counts them, from 0 on in the order in which they first asked.
using sampler_number = std::size_t;

/// Decisions of the ledger: what its actor does next.
namespace ledger_decisions {
/// Send the prompt to the sampler.
struct hand_out {
  sampler_number sampler = 0;
  work_ptr prompt;
};
/// Ask the loader for that many new lines; answer with prompts().
struct ask_loader {
  std::int64_t lines = 0;
};
/// Ask the loader for these lines, which an earlier part of the run drew; answer with prompts_again().
struct ask_loader_again {
  std::vector<std::uint64_t> ids;
};
/// Tell every buffer of the draws.
struct announce_draws {
  std::vector<draw_notice> draws;
};
/// Send finished training data to the buffer.
struct pass_samples {
  sample_group_ptr samples;
};
/// Write into the journal.
struct record {
  journal_event event;
};
/// Show the totals to whoever watches.
struct report_totals {};
}  // namespace ledger_decisions

using ledger_decision =
    std::variant<ledger_decisions::hand_out, ledger_decisions::ask_loader, ledger_decisions::ask_loader_again,
                 ledger_decisions::announce_draws, ledger_decisions::pass_samples, ledger_decisions::record,
                 ledger_decisions::report_totals>;

/// The ledger's rules as a state machine: an event goes in, decisions come out and are carried out in their
/// order. It keeps the books, admits prompts under the admission rule, and hands them to samplers against
/// their credit. It is a value that knows no actor and no clock.
class ledger_machine {
 public:
  using decisions = std::vector<ledger_decision>;

  /// `version_follows` false: the samplers' model does not move with the learner, whose version counts then.
  ledger_machine(ledger books, bool version_follows, resumed_books resumed = {}, ledger_paths paths = {});

  /// The loader can be asked from now on.
  decisions loader_ready();
  decisions prompts(const std::vector<drawn> &lines);
  decisions prompts_again(const std::vector<drawn> &lines);
  /// A sampler has room for `prompts` more prompts. It holds `version`, or will hold it before it begins with
  /// them.
  decisions credit(sampler_number sampler, std::int64_t prompts, std::int64_t version);
  /// A sampler has made all answers of the prompt.
  decisions finished(std::uint64_t id);
  /// The sampler is gone, or gives its work back. It gets no prompt until it asks again.
  decisions lost(sampler_number sampler, const lost_work &held);
  decisions kept(const std::string &path, std::uint64_t id);
  decisions dropped(const std::string &path, std::uint64_t id, const std::string &reason);
  /// The learner has made `version` of these groups.
  decisions trained(const std::string &learner, const std::vector<std::uint64_t> &ids, std::int64_t version);
  /// The learner was given these groups and leaves them untrained. Nothing is drawn before its trained().
  decisions left_untrained(const std::string &learner, const std::vector<std::uint64_t> &ids,
                           const std::string &reason);
  /// The learner has ended.
  decisions retired(const std::string &learner);
  decisions set_lead(std::int64_t versions);
  /// A batch goes with places for that many rollouts empty. A negative number corrects an earlier call that
  /// named too many.
  decisions forfeit(std::int64_t rollouts);
  /// Draw nothing more.
  void stop() { stopped_ = true; }
  /// Draw nothing more, and hand out nothing more.
  void end() { stopped_ = ended_ = true; }
  /// The run was stopped: these are the prompts that a sampler had, with tokens and without.
  decisions interrupted(const std::vector<std::uint64_t> &begun, const std::vector<std::uint64_t> &untouched);

  const ledger &books() const { return books_; }
  std::int64_t learner_version() const { return learner_version_; }
  void write_state(state_text &text) const;

 private:
  struct sampler_entry {
    std::int64_t credit = 0;   ///< prompts that it has room for
    std::int64_t version = 0;  ///< the newest weights that it holds or is about to hold
  };

  std::int64_t newest_version() const;
  void hand_out(decisions &out);
  void book(decisions &out);
  void pump(decisions &out);
  void pass_on(decisions &out, const drawn &line, std::int64_t min_version,
               const std::map<std::string, std::int64_t> &model_versions, begun_samples begun = {});
  void pass_on_again(decisions &out, const drawn &line);
  void reissue(decisions &out, const work_ptr &prompt, const begun_samples &begun, const std::string &cause);
  void apply(decisions &out, std::uint64_t id, const path_book::outcome &news, const std::string &cause);

  ledger books_;
  bool version_follows_ = true;
  resumed_books resumed_;
  ledger_paths paths_;
  bool loader_ready_ = false;
  bool stopped_ = false;
  bool ended_ = false;
  bool drawing_ = false;     ///< the loader has been asked and has not answered
  std::deque<drawn> spare_;  ///< lines for which the rule had no room left when they came
  std::int64_t learner_version_ = 0;
  std::int64_t newest_ = 0;                    ///< a sampler held that version, though it may be gone
  std::deque<work_ptr> waiting_;               ///< in the order of the draws
  std::map<std::uint64_t, work_ptr> running_;  ///< what the samplers have
  std::vector<sampler_entry> samplers_;
};

}  // namespace slipstream

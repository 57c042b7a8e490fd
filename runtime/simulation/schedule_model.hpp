#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/schedule/buffer_machine.hpp"
#include "runtime/schedule/contract.hpp"
#include "runtime/schedule/learner_machine.hpp"
#include "runtime/schedule/ledger_machine.hpp"

namespace slipstream {

/// A run to be modelled.
struct model_setup {
  schedule_rules rules;
  order_row order;
  staleness_contract contract;  ///< as derive_contract gave it
  order_state buffer;           ///< what the buffer of the main learner's path is told
  std::int64_t group = 1;       ///< rollouts
  std::int64_t updates = 1;     ///< versions to be made
  std::size_t samplers = 1;
  std::int64_t slots = 1;  ///< groups that a sampler has room for
  std::int64_t steps = 1;  ///< optimizer steps a batch
  /// The first is the main one. Those of its path train on the same batches; the others keep a pace of their
  /// own.
  std::vector<learner_path> learners{{"learner", "path"}};
  bool mail_at_once = true;     ///< false: a message waits in its mailbox until handle_*_mail()
  std::int64_t most_drawn = 0;  ///< groups that the loader has; 0: no end

  /// Derives the contract and fills in what follows from it. Throws input_error when there is none.
  static model_setup of(schedule_rules rules, const order_row &order, std::int64_t group,
                        std::int64_t updates);
};

/// What a run is without tensors and time: mailboxes, samplers, scorers and the transfer of weights around
/// the ledger's, the buffers' and the learners' state machines, which are those of the run. Each step of a
/// run is a call, and whoever calls decides what happens when. A value.
class schedule_model {
 public:
  struct message {
    enum class kind : std::uint8_t {
      // to the ledger
      lines,    // `number` of them, from the loader
      credit,   // sampler `which` has room for `number` more and holds version `other`
      lost,     // sampler `which` is gone with groups `ids`
      sampled,  // group `id` is finished
      kept,     // group `id`, by path `which`
      dropped,  // group `id`, by path `which`
      trained,  // groups `ids` by learner `which`, which made version `number`
      left,     // groups `ids` by learner `which`, untrained
      retired,  // learner `which`
      lead,     // `number` from now on
      forfeit,  // `number` rollouts; path `which` wants an answer
      correct,  // `number` rollouts
      // to the buffer of a path
      drawn,    // `draws`
      arrived,  // `group`
      window,   // `number` from now on
      waited,   // for the batch of version `number`
      pull,     // of learner `which` at version `number`
      stop,     // of learner `which`
      booked    // answer to `forfeit`
    };
    kind what = kind::lines;
    std::int64_t number = 0, other = 0;
    std::size_t which = 0;
    std::uint64_t id = 0;
    std::vector<std::uint64_t> ids{};
    std::vector<draw_notice> draws{};
    sample_group_ptr group{};
  };
  struct sampler {
    std::int64_t held = -1;                         ///< version of its weights; -1: none yet
    std::deque<std::int64_t> coming;                ///< versions on their way
    std::map<std::uint64_t, std::int64_t> given;    ///< prompts not begun, with their min_version
    std::map<std::uint64_t, std::int64_t> running;  ///< version of each group's first token
  };
  /// A group that a path's scorers have.
  struct unscored_group {
    std::size_t path = 0;
    std::uint64_t id = 0;
    auto operator<=>(const unscored_group &) const = default;
  };

  explicit schedule_model(model_setup setup);

  // What may happen now.
  bool done() const;  ///< all learners have ended
  bool loader_asked() const;
  std::vector<std::size_t> able_samplers() const;  ///< those that may begin a prompt
  const std::vector<sampler> &samplers() const { return samplers_; }
  const std::map<unscored_group, sample_group_ptr> &unscored() const { return unscored_; }
  std::vector<std::size_t> training() const;  ///< learners that have a batch
  /// Paths whose learners wait for a batch that may be short, with its version.
  const std::map<std::size_t, std::int64_t> &timers() const { return timers_; }
  bool mail_for_ledger() const { return !to_ledger_.empty(); }
  bool mail_for_buffer(std::size_t path) const { return !to_buffer_[path].empty(); }

  // What happens.
  void loader_answers();
  std::uint64_t start(std::size_t sampler);  ///< the oldest prompt that it may begin
  void finish(std::size_t sampler, std::uint64_t id);
  void score(unscored_group which);
  void reject(unscored_group which);  ///< a scorer drops it
  void receive(std::size_t sampler);
  void die(std::size_t sampler);  ///< what it had is reissued; another one takes its place
  /// The learner has trained on its batch. `tripped`: no step was taken.
  struct outcome {
    bool tripped = false;
    schedule_controller::figures figures{};
  };
  void train(std::size_t learner, const outcome &result);
  void steer(const std::string &number,
             std::int64_t value);  ///< of the main learner, from its next version on
  void wait_long_enough(std::size_t path);
  void handle_ledger_mail();
  void handle_buffer_mail(std::size_t path);

  // What is known of it.
  const ledger &books() const { return ledger_.books(); }
  const std::vector<std::string> &paths() const { return paths_; }
  const buffer_machine &buffer(std::size_t path) const { return buffers_[path]; }
  const learner_machine &learner(std::size_t which) const { return learners_[which]; }
  const model_setup &setup() const { return setup_; }
  std::int64_t version() const { return learners_.front().version(); }
  std::int64_t oldest() const { return oldest_; }              ///< largest age trained on, in versions
  std::int64_t oldest_steps() const { return oldest_steps_; }  ///< in optimizer steps
  std::int64_t longest_wait() const { return longest_wait_; }  ///< versions between draw and training
  std::int64_t short_batches() const { return short_batches_; }
  std::int64_t changes() const { return changes_; }  ///< of the schedule's numbers
  /// Two models with the same text go on alike.
  std::string fingerprint() const;

 private:
  buffer_machine make_buffer(std::size_t path) const;
  learner_machine make_learner(std::size_t which) const;
  void tell_ledger(message text);
  void tell_buffer(std::size_t path, message text);
  void post();
  ledger_machine::decisions ledger_reads(const message &text);
  buffer_machine::decisions buffer_reads(std::size_t path, const message &text);
  void carry_out(ledger_machine::decisions decisions);
  void carry_out(std::size_t path, buffer_machine::decisions decisions);
  void carry_out_learner(std::size_t which, learner_machine::decisions decisions);
  void deliver(const std::string &learner, const batch_ptr &batch);
  void measure(const std::vector<sample_group_ptr> &batch);
  void stop_others();
  std::size_t path_of(std::size_t learner) const;

  model_setup setup_;
  std::vector<std::string> paths_;
  ledger_machine ledger_;
  std::vector<buffer_machine> buffers_;    // by path
  std::vector<learner_machine> learners_;  // as in the set-up
  std::int64_t asked_ = 0;                 // of the loader
  std::uint64_t next_ = 0;
  std::vector<sampler> samplers_;
  std::map<unscored_group, sample_group_ptr> unscored_;
  std::map<std::size_t, std::int64_t> timers_;
  std::int64_t published_ = 0;
  std::vector<std::vector<std::uint64_t>> batches_;  // under way, by learner
  std::vector<std::int64_t> steps_{0};               // taken before each version of the main learner
  // mail
  std::deque<message> to_ledger_;
  std::vector<std::deque<message>> to_buffer_;
  bool posting_ = false;
  // figures
  std::map<std::uint64_t, std::int64_t> drawn_at_;
  std::int64_t oldest_ = 0, oldest_steps_ = 0, longest_wait_ = 0, short_batches_ = 0, changes_ = 0;
};

}  // namespace slipstream

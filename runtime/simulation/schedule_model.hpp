#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/schedule/contract.hpp"
#include "runtime/schedule/ledger.hpp"
#include "runtime/schedule/order_buffer.hpp"

namespace slipstream {

/// A run to be modelled.
struct model_setup {
  schedule_rules rules;
  order_row order;
  staleness_contract contract;  ///< as derive_contract gave it
  order_state buffer;           ///< what the buffer is told
  std::int64_t group = 1;       ///< rollouts
  std::int64_t updates = 1;     ///< versions to be made
  std::size_t samplers = 1;
  std::int64_t slots = 1;       ///< groups that a sampler has room for
  std::int64_t steps = 1;       ///< optimizer steps a batch
  bool mail_at_once = true;     ///< false: a message waits in its mailbox until handle_*_mail()
  std::int64_t most_drawn = 0;  ///< groups that the loader has; 0: no end

  /// Derives the contract and fills in what follows from it. Throws input_error when there is none.
  static model_setup of(schedule_rules rules, const order_row &order, std::int64_t group,
                        std::int64_t updates);
};

/// The ledger, the buffer, samplers, the transfer of weights and a learner as one state machine without
/// actors, tensors or time: each step of a run is a call, and whoever calls decides what happens when. The
/// books and the buffer are the run's own classes; messages between them pass through mailboxes as in the
/// run. A value.
class schedule_model {
 public:
  struct message {
    enum class kind : std::uint8_t {
      // to the ledger
      prompts,   // `number` prompts from the loader
      credit,    // sampler `id` holds version `number`
      finished,  // group `id`
      buffered,  // group `id`
      dropped,   // group `id`
      trained,   // groups `ids`
      given_up,  // groups `ids`
      lead,      // `number` from now on
      forfeit,   // `number` groups; an answer is wanted unless it is negative
      // to the buffer
      drawn,     // groups `ids` with `min_versions`
      arrived,   // `group`
      window,    // `number` from now on
      waited,    // the pull `number` has waited long enough
      pull,      // of the learner at version `number`
      forfeited  // answer to `forfeit`
    };
    kind what = kind::prompts;
    std::int64_t number = 0;
    std::uint64_t id = 0;
    std::vector<std::uint64_t> ids{};
    std::vector<std::int64_t> min_versions{};
    sample_group_ptr group{};
    std::int64_t life = 0;  ///< of the sampler that sent it
  };
  struct sampler {
    std::int64_t held = -1;                         ///< version of its weights; -1: none yet
    std::int64_t known = -1;                        ///< what the ledger knows of it
    std::deque<std::int64_t> coming;                ///< versions on their way
    std::map<std::uint64_t, std::int64_t> running;  ///< version of each group's first token
    std::int64_t life = 0;                          ///< how many stood in its place before
  };

  explicit schedule_model(model_setup setup);

  // What may happen now.
  bool done() const { return version_ >= setup_.updates; }
  bool loader_asked() const { return asked_ > 0 && !answered_; }
  std::vector<std::size_t> able_samplers() const;  ///< those that may take the oldest waiting prompt
  const std::vector<sampler> &samplers() const { return samplers_; }
  const std::map<std::uint64_t, sample_group_ptr> &unscored() const { return unscored_; }
  bool training() const { return !batch_.empty(); }
  bool waiting_for_batch() const { return pulling_ && patience_ < pulls_ && least_ > 0; }
  bool mail_for_ledger() const { return !to_ledger_.empty(); }
  bool mail_for_buffer() const { return !to_buffer_.empty(); }

  // What happens.
  void loader_answers();
  std::uint64_t start(std::size_t sampler);  ///< the oldest waiting prompt
  void finish(std::size_t sampler, std::uint64_t id);
  void score(std::uint64_t id);
  void reject(std::uint64_t id);  ///< a scorer drops it
  void receive(std::size_t sampler);
  void die(std::size_t sampler);  ///< what it ran is reissued; another one takes its place
  /// The batch under way makes a version. `braked`: no step was taken. `lead`, `window`, `publish_every`:
  /// from now on.
  struct outcome {
    bool braked = false;
    std::int64_t lead = 0, window = 0, publish_every = 1;
  };
  void train(const outcome &result);
  void wait_long_enough();
  void handle_ledger_mail();
  void handle_buffer_mail();

  // What is known of it.
  const ledger &books() const { return books_; }
  const order_buffer &buffer() const { return buffer_; }
  const model_setup &setup() const { return setup_; }
  std::int64_t version() const { return version_; }
  std::int64_t pulls() const { return pulls_; }
  std::int64_t lead() const { return lead_; }
  std::int64_t window() const { return window_; }
  std::int64_t publish_every() const { return publish_every_; }
  std::int64_t oldest() const { return oldest_; }              ///< largest age trained on, in versions
  std::int64_t oldest_steps() const { return oldest_steps_; }  ///< in optimizer steps
  std::int64_t longest_wait() const { return longest_wait_; }  ///< versions between draw and training
  std::int64_t short_batches() const { return short_batches_; }
  /// Two models with the same text go on alike.
  std::string fingerprint() const;

 private:
  void tell_ledger(message text);
  void tell_buffer(message text);
  void post();
  void ledger_reads(const message &text);
  void buffer_reads(const message &text);
  void pump();
  void book();
  std::int64_t newest() const;
  void serve();
  void go_short();
  void forfeits_booked();
  void deliver(const std::vector<sample_group_ptr> &batch);
  void pull();

  model_setup setup_;
  std::int64_t least_ = 0;
  // the ledger's
  ledger books_;
  std::int64_t asked_ = 0, spare_ = 0;
  bool answered_ = false;
  std::deque<std::uint64_t> waiting_;
  std::map<std::uint64_t, std::int64_t> min_versions_;
  std::uint64_t next_ = 0;
  // the buffer's
  order_buffer buffer_;
  bool pulling_ = false, waited_ = false;
  std::int64_t pulls_ = 0, pulled_ = 0, forfeiting_ = 0;
  std::int64_t patience_ = 0;  // the newest pull that has been told that it waited
  // the samplers' and the scorers'
  std::vector<sampler> samplers_;
  std::map<std::uint64_t, sample_group_ptr> unscored_;
  // the learner's
  std::int64_t version_ = 0, published_ = 0;
  std::int64_t lead_ = 0, window_ = 1, publish_every_ = 1;
  std::vector<std::uint64_t> batch_;
  std::vector<std::int64_t> steps_;  // taken before each version
  // mail
  std::deque<message> to_ledger_, to_buffer_;
  bool posting_ = false;
  // figures
  std::map<std::uint64_t, std::int64_t> drawn_at_;
  std::int64_t oldest_ = 0, oldest_steps_ = 0, longest_wait_ = 0, short_batches_ = 0;
};

}  // namespace slipstream

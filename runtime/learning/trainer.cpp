#include "runtime/learning/trainer.hpp"

#include <utility>

#include "runtime/learning/follower_ranks.hpp"

namespace slipstream {
namespace {

std::shared_ptr<follower_ranks> led_by(trainer_options &options, const transformer &initial) {
  if (options.replicas <= 1 || options.ranks) return nullptr;
  auto followers = std::make_shared<follower_ranks>(options, initial);
  options.ranks = followers->ranks();
  return followers;
}

}  // namespace

trainer::trainer(trainer_options options, const transformer &initial)
    : followers_(led_by(options, initial)), own_(std::move(options), initial) {}

void trainer::on_all_ranks(const rank_task &task, const std::function<void()> &own) {
  if (followers_)
    followers_->together(task, own);
  else
    own();
}

void trainer::resume(adamw_state optimizer, const nlohmann::json &state) {
  on_all_ranks(resume_task{optimizer.step, state}, [&] { own_.resume(&optimizer, optimizer.step, state); });
}

void trainer::begin(sample_groups batch, std::int64_t now_ns,
                    const std::map<std::string, std::int64_t> &scoring_models,
                    const sample_groups &demonstrations) {
  on_all_ranks(begin_task{batch, now_ns, scoring_models, demonstrations},
               [&] { own_.begin(std::move(batch), now_ns, scoring_models, demonstrations); });
}

void trainer::set_target_policy(std::shared_ptr<const transformer> policy) {
  on_all_ranks(target_task{policy}, [&] { own_.set_target_policy(policy); });
}

bool trainer::slice() {
  bool more = false;
  on_all_ranks(slice_task{}, [&] { more = own_.slice(); });
  return more;
}

trained_version trainer::complete(std::int64_t now_ns) {
  trained_version made;
  on_all_ranks(complete_task{now_ns}, [&] { made = own_.complete(now_ns); });
  return made;
}

adamw_state trainer::optimizer() {
  if (own_.has_all_moments()) return own_.moments();
  adamw_state whole;
  on_all_ranks(moments_task{}, [&] { whole = own_.moments(); });
  return whole;
}

}  // namespace slipstream

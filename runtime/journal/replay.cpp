#include "runtime/journal/replay.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <utility>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"

namespace slipstream {
namespace {

class replaying {
 public:
  replaying(trainer &core, std::int64_t until, const replay_listeners &listeners, other_order *order,
            std::string learner)
      : core_(core), until_(until), listeners_(listeners), order_(order), learner_(std::move(learner)) {}

  void add(const journal_record &record) {
    if (listeners_.read) listeners_.read(record);
    if (const auto *opened = std::get_if<run_opened>(&record.event)) find_path(*opened);
    if (order_) return follow(record);
    if (const auto *kept = std::get_if<group_kept>(&record.event); kept && kept->path == path_)
      groups_[kept->group->id] = kept->group;
    if (const auto *batch = std::get_if<batch_consumed>(&record.event); batch && batch->learner == learner_)
      waiting_.emplace_back(*batch, record.time_ns);
    go_on();
  }

  /// A batch waits until then.
  void when(std::function<bool()> ready) { ready_ = std::move(ready); }
  void go_on() {
    while (!waiting_.empty() && (!ready_ || ready_())) {
      consume(waiting_.front().first, waiting_.front().second);
      waiting_.pop_front();
    }
  }

 private:
  void find_path(const run_opened &opened) {
    for (const auto &[learner, path] : opened.learners) {
      if (!learner_.empty() && learner != learner_) continue;
      learner_ = learner;
      path_ = path;
      return;
    }
  }

  bool ended() const { return until_ > 0 && core_.version() >= until_; }

  void follow(const journal_record &record) {
    order_->read(record);
    while (!ended()) {
      auto groups = order_->take(core_.version());
      if (!groups) return;
      train(std::move(*groups), record.time_ns);
    }
  }

  void consume(const batch_consumed &batch, std::int64_t now_ns) {
    if (ended()) return;
    if (batch.version != core_.version() + 1)
      throw run_error(fmt::format("the journal has a batch for version {} after version {}", batch.version,
                                  core_.version()));
    std::vector<sample_group_ptr> groups;
    for (const auto id : batch.ids) {
      const auto found = groups_.find(id);
      if (found == groups_.end()) throw run_error(fmt::format("the journal does not hold group {}", id));
      groups.push_back(found->second);
      groups_.erase(found);
    }
    train(std::move(groups), now_ns);
  }

  void train(std::vector<sample_group_ptr> groups, std::int64_t now_ns) {
    if (listeners_.meets) listeners_.meets(groups);
    std::vector<sample_group_ptr> shown;
    if (listeners_.demonstrations) shown = listeners_.demonstrations(core_.version());
    core_.begin(std::move(groups), now_ns, {}, shown);
    while (core_.slice()) {
    }
    const auto made = core_.complete(now_ns);
    if (listeners_.made) listeners_.made(made);
  }

  trainer &core_;
  std::int64_t until_;
  const replay_listeners &listeners_;
  other_order *order_;
  std::string learner_, path_;
  std::map<std::uint64_t, sample_group_ptr> groups_;
  std::deque<std::pair<batch_consumed, std::int64_t>> waiting_;
  std::function<bool()> ready_;
};

}  // namespace

std::optional<journal_damage> replay_journal(const std::filesystem::path &journal, trainer &core,
                                             std::int64_t until, const replay_listeners &listeners,
                                             other_order *order, const std::string &learner) {
  replaying again(core, until, listeners, order, learner);
  return read_journal(journal, [&](const journal_record &record) { again.add(record); });
}

std::optional<journal_damage> replay_beside(const std::filesystem::path &journal, trainer &core,
                                            const std::string &learner, trainer &main,
                                            std::shared_ptr<const transformer> initial, std::int64_t until,
                                            const replay_listeners &listeners) {
  std::map<std::int64_t, std::shared_ptr<const transformer>> versions{{0, std::move(initial)}};
  replay_listeners keep;
  keep.made = [&](const trained_version &made) { versions[made.version] = made.weights; };
  replaying first(main, until, keep, nullptr, ""), again(core, until, listeners, nullptr, learner);
  again.when([&] {
    const auto due = versions.find(core.version());
    if (due == versions.end()) return false;
    core.set_target_policy(due->second);
    versions.erase(versions.begin(), due);
    return true;
  });
  return read_journal(journal, [&](const journal_record &record) {
    first.add(record);
    again.add(record);
  });
}

std::string first_difference(const transformer &model, const std::filesystem::path &checkpoint) {
  const auto stored = load_checkpoint(checkpoint).network(model.mode());
  const at::Tensor mine = model.trainable().detach().cpu(), theirs = stored.trainable();
  for (const parameter_slot &slot : model.trainable_layout()) {
    const auto bytes = static_cast<std::size_t>(slot.count()) * sizeof(float);
    if (std::memcmp(mine.data_ptr<float>() + slot.offset, theirs.data_ptr<float>() + slot.offset, bytes) != 0)
      return slot.name;
  }
  return "";
}

std::pair<std::string, double> largest_difference(const transformer &model,
                                                  const std::filesystem::path &checkpoint) {
  const auto stored = load_checkpoint(checkpoint).network(model.mode());
  const at::Tensor mine = model.trainable().detach().cpu(), theirs = stored.trainable();
  std::pair<std::string, double> worst{"", 0.0};
  for (const parameter_slot &slot : model.trainable_layout()) {
    const float *a = mine.data_ptr<float>() + slot.offset, *b = theirs.data_ptr<float>() + slot.offset;
    double difference = 0, greatest = 0;
    for (std::int64_t i = 0; i < slot.count(); ++i) {
      difference = std::max(difference, static_cast<double>(std::abs(a[i] - b[i])));
      greatest = std::max(greatest, static_cast<double>(std::abs(b[i])));
    }
    if (greatest > 0) difference /= greatest;
    if (!(difference <= worst.second)) worst = {slot.name, difference};
  }
  return worst;
}

std::string file_sha256(const std::filesystem::path &file) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX *)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::ifstream in(file, std::ios::binary);
  std::vector<char> part(1 << 20);
  while (in.read(part.data(), static_cast<std::streamsize>(part.size())) || in.gcount() > 0)
    EVP_DigestUpdate(context.get(), part.data(), static_cast<std::size_t>(in.gcount()));
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(context.get(), digest.data(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace slipstream

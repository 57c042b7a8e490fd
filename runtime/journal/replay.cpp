#include "runtime/journal/replay.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>

#include "models/error.hpp"
#include "models/files/checkpoint.hpp"

namespace slipstream {
namespace {

using version_listener = std::function<void(const std::string &, const trained_version &)>;

class replaying {
 public:
  replaying(const std::map<std::string, trainer *> &learners, std::int64_t until, const version_listener &made)
      : learners_(learners), until_(until), made_(made) {}

  void add(const journal_record &record) {
    if (const auto *opened = std::get_if<run_opened>(&record.event))
      for (const auto &[learner, path] : opened->learners) paths_[learner] = path;
    if (const auto *kept = std::get_if<group_kept>(&record.event))
      groups_[kept->path][kept->group->id] = {kept->group, 0};
    if (const auto *batch = std::get_if<batch_consumed>(&record.event)) train(*batch, record.time_ns);
  }

 private:
  struct kept_group {
    sample_group_ptr group;
    std::size_t uses = 0;  // by learners of its path
  };

  void train(const batch_consumed &batch, std::int64_t now_ns) {
    const auto found = learners_.find(batch.learner);
    if (found == learners_.end())
      throw run_error(fmt::format("the journal has a batch for \"{}\", which is no learner", batch.learner));
    auto &core = *found->second;
    if (until_ > 0 && core.version() >= until_) return;
    if (batch.version != core.version() + 1)
      throw run_error(fmt::format("the journal has a batch for version {} after version {}", batch.version,
                                  core.version()));
    core.begin(groups_of(batch), now_ns);
    while (core.slice()) {
    }
    made_(batch.learner, core.complete(now_ns));
  }

  std::vector<sample_group_ptr> groups_of(const batch_consumed &batch) {
    const auto &path = paths_[batch.learner];
    const auto takers = static_cast<std::size_t>(std::count_if(
        paths_.begin(), paths_.end(), [&](const auto &entry) { return entry.second == path; }));
    auto &known = groups_[path];
    std::vector<sample_group_ptr> groups;
    for (const auto id : batch.ids) {
      const auto kept = known.find(id);
      if (kept == known.end()) throw run_error(fmt::format("the journal does not hold group {}", id));
      groups.push_back(kept->second.group);
      if (++kept->second.uses >= takers) known.erase(kept);
    }
    return groups;
  }

  const std::map<std::string, trainer *> &learners_;
  std::int64_t until_;
  const version_listener &made_;
  std::map<std::string, std::string> paths_;  // by learner
  std::map<std::string, std::map<std::uint64_t, kept_group>> groups_;  // by path
};

}  // namespace

std::optional<journal_damage> replay_journal(const std::filesystem::path &journal,
                                             const std::map<std::string, trainer *> &learners,
                                             std::int64_t until, const version_listener &made) {
  replaying again(learners, until, made);
  return read_journal(journal, [&](const journal_record &record) { again.add(record); });
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

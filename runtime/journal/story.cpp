#include "runtime/journal/story.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/journal/journal.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {
namespace {

std::string versions_of(const sample_group &group) {
  std::int64_t oldest = -1, newest = -1;
  for (const auto &each : group.samples)
    for (const auto version : each.versions) {
      oldest = oldest < 0 ? version : std::min(oldest, version);
      newest = std::max(newest, version);
    }
  if (oldest < 0) return "";
  return oldest == newest ? fmt::format(", by version {}", oldest)
                          : fmt::format(", by versions {} to {}", oldest, newest);
}

std::string scoring_models_of(const sample_group &group) {
  std::string text;
  for (const auto &[model, version] : group.model_versions)
    text += fmt::format(", scored by version {} of \"{}\"", version, model);
  return text;
}

std::string of(const std::string &learner) {
  return learner.empty() ? "" : fmt::format(" of \"{}\"", learner);
}

class telling {
 public:
  explicit telling(std::uint64_t id) : id_(id) {}

  void add(const journal_record &record) {
    if (begin_ == 0) begin_ = record.time_ns;
    now_ = record.time_ns;
    if (const auto *drawn = std::get_if<prompt_drawn>(&record.event); drawn && drawn->id == id_)
      tell("waiting", fmt::format("drawn, row {} of epoch {}; no token by weights older than version {}",
                                  drawn->row, drawn->epoch, drawn->min_version));
    if (const auto *moved = std::get_if<prompt_moved>(&record.event); moved && moved->id == id_)
      tell(std::string(to_string(moved->to)), present_cause(moved->cause));
    if (const auto *kept = std::get_if<group_kept>(&record.event); kept && kept->group->id == id_)
      keep(*kept->group);
    if (const auto *progress = std::get_if<group_progress>(&record.event); progress && progress->id == id_)
      go_on(progress->samples);
    if (const auto *batch = std::get_if<batch_consumed>(&record.event))
      if (std::find(batch->ids.begin(), batch->ids.end(), id_) != batch->ids.end())
        tell("consumed", fmt::format("for version {}{}", batch->version, of(batch->learner)));
    if (const auto *resumed = std::get_if<run_resumed>(&record.event); resumed && !story_.empty())
      for (const auto &[learner, version] : resumed->versions)
        tell("resumed", fmt::format("the run went on from version {}{}", version, of(learner)));
    if (const auto *dropped = std::get_if<path_dropped>(&record.event); dropped && dropped->id == id_)
      tell("dropped", fmt::format("on the way from \"{}\": {}", dropped->path, dropped->reason));
  }
  std::vector<story_line> take() { return std::move(story_); }

 private:
  void keep(const sample_group &group) {
    std::size_t tokens = 0;
    for (const auto &each : group.samples) tokens += each.tokens.size();
    tell("kept", fmt::format("{} samples of {} tokens{}", group.samples.size(), tokens, versions_of(group)) +
                     scoring_models_of(group));
  }
  void go_on(const std::vector<partial_generation> &samples) {
    const auto ended =
        std::count_if(samples.begin(), samples.end(), [](const auto &each) { return each.ended; });
    tell("progress", fmt::format("{} tokens more; {} of {} samples have ended", token_count(samples), ended,
                                 samples.size()));
  }
  void tell(std::string state, std::string cause) {
    story_.push_back({static_cast<double>(now_ - begin_) / 1e9, std::move(state), std::move(cause)});
  }

  std::uint64_t id_;
  std::int64_t begin_ = 0, now_ = 0;
  std::vector<story_line> story_;
};

}  // namespace

std::vector<story_line> read_story(const std::filesystem::path &journal, std::uint64_t id) {
  telling story(id);
  read_journal(journal, [&](const journal_record &record) { story.add(record); });
  return story.take();
}

std::string to_string(const std::vector<story_line> &story) {
  std::string text;
  for (const auto &line : story)
    text += fmt::format("{}{:>10.3f} s  {:<9} {}", text.empty() ? "" : "\n", line.seconds, line.state,
                        line.cause);
  return text;
}

nlohmann::json to_json(const std::vector<story_line> &story) {
  auto lines = nlohmann::json::array();
  for (const auto &line : story)
    lines.push_back({{"seconds", line.seconds}, {"state", line.state}, {"cause", line.cause}});
  return lines;
}

}  // namespace slipstream

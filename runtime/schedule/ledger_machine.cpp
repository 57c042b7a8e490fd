#include "runtime/schedule/ledger_machine.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace slipstream {

using namespace ledger_decisions;

namespace {

/// The loader answers from its own memory; a demand of this size keeps its message short.
constexpr std::int64_t most_lines_asked = 256;

void record_move(ledger_machine::decisions &out, std::uint64_t id, rollout_state to, std::string cause) {
  out.emplace_back(record{prompt_moved{id, to, std::move(cause)}});
}

}  // namespace

ledger_machine::ledger_machine(ledger books, bool version_follows, resumed_books resumed, ledger_paths paths)
    : books_(std::move(books)),
      version_follows_(version_follows),
      resumed_(std::move(resumed)),
      paths_(std::move(paths)),
      learner_version_(resumed_.version) {}

std::int64_t ledger_machine::newest_version() const {
  return version_follows_ && !samplers_.empty() ? newest_ : learner_version_;
}

/// Hands waiting prompts, oldest first, to whichever sampler may take them and has most room.
void ledger_machine::hand_out(decisions &out) {
  while (!waiting_.empty() && !ended_ && books_.may_start()) {
    const auto next = waiting_.front();
    sampler_entry *best = nullptr;
    for (auto &candidate : samplers_) {
      const auto version = version_follows_ ? candidate.version : learner_version_;
      if (candidate.credit > 0 && version >= next->min_version && (!best || candidate.credit > best->credit))
        best = &candidate;
    }
    if (!best) return;
    --best->credit;
    books_.start(next->source->id);
    record_move(out, next->source->id, rollout_state::running, "a sampler took it");
    out.emplace_back(ledger_decisions::hand_out{static_cast<sampler_number>(best - samplers_.data()), next});
    running_[next->source->id] = next;
    waiting_.pop_front();
  }
}

/// Prompts wait for a sampler; finished training data goes on to the learner's buffer.
void ledger_machine::pass_on(decisions &out, const drawn &line, std::int64_t min_version,
                             const std::map<std::string, std::int64_t> &model_versions, begun_samples begun) {
  if (line.samples) {
    books_.start(line.source->id);
    books_.finish(line.source->id);
    out.emplace_back(pass_samples{line.samples});
  } else {
    waiting_.push_back(std::make_shared<work>(
        work{line.source, line.prompt_tokens, min_version, model_versions, std::move(begun)}));
  }
}

/// Draws what came from the loader as far as the rule has room: since it was asked for, a smaller lead or
/// empty places may have taken the room, and a prompt that waits for weights that are not there yet could be
/// what the batch that makes them waits for.
void ledger_machine::book(decisions &out) {
  const auto versions = paths_.versions;
  const auto room = books_.room(newest_version());
  std::vector<drawn> lines;
  announce_draws told;
  for (; static_cast<std::int64_t>(lines.size()) < room && !spare_.empty(); spare_.pop_front()) {
    lines.push_back(std::move(spare_.front()));
    const auto &source = *lines.back().source;
    told.draws.push_back({source.id, books_.draw(source.id)});
    out.emplace_back(
        record{prompt_drawn{source.id, told.draws.back().min_version, source.row, source.epoch, versions}});
  }
  if (lines.empty()) return;
  const auto draws = told.draws;
  out.emplace_back(std::move(told));
  for (std::size_t i = 0; i < lines.size(); ++i) pass_on(out, lines[i], draws[i].min_version, versions);
}

/// A prompt that an earlier part of the run drew: from the start, or from its last journalled token.
void ledger_machine::pass_on_again(decisions &out, const drawn &line) {
  const auto id = line.source->id;
  auto begun = resumed_.begun.extract(id);
  if (begun)
    record_move(out, id, rollout_state::partial,
                "goes on behind " + std::to_string(token_count(*begun.mapped())) + " journalled tokens");
  pass_on(out, line, resumed_.waiting.at(id), resumed_.model_versions[id],
          begun ? begun.mapped() : begun_samples());
}

void ledger_machine::pump(decisions &out) {
  if (!stopped_) book(out);
  hand_out(out);
  if (stopped_ || drawing_ || !loader_ready_ || !spare_.empty()) return;
  const auto room = books_.room(newest_version());
  if (room == 0) return;
  drawing_ = true;
  out.emplace_back(ask_loader{std::min(room, most_lines_asked)});
}

ledger_machine::decisions ledger_machine::loader_ready() {
  decisions out;
  loader_ready_ = true;
  if (resumed_.waiting.empty()) {
    pump(out);
    return out;
  }
  ask_loader_again before;  // anything new comes behind it
  for (const auto &[id, version] : resumed_.waiting) before.ids.push_back(id);
  drawing_ = true;
  out.emplace_back(std::move(before));
  return out;
}

ledger_machine::decisions ledger_machine::prompts(const std::vector<drawn> &lines) {
  decisions out;
  drawing_ = false;
  spare_.insert(spare_.end(), lines.begin(), lines.end());
  pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::prompts_again(const std::vector<drawn> &lines) {
  decisions out;
  drawing_ = false;
  for (const auto &line : lines) pass_on_again(out, line);
  pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::credit(sampler_number sampler, std::int64_t prompts,
                                                 std::int64_t version) {
  decisions out;
  if (sampler >= samplers_.size()) samplers_.resize(sampler + 1);
  auto &entry = samplers_[sampler];
  entry.credit += prompts;
  entry.version = std::max(entry.version, version);
  newest_ = std::max(newest_, version);
  pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::finished(std::uint64_t id) {
  decisions out;
  books_.finish(id);
  running_.erase(id);
  record_move(out, id, rollout_state::finished, "sampled whole");
  hand_out(out);
  return out;
}

/// Another sampler makes it: from the start, or behind its journalled tokens.
void ledger_machine::reissue(decisions &out, const work_ptr &prompt, const begun_samples &begun,
                             const std::string &cause) {
  const auto id = prompt->source->id;
  auto again = std::make_shared<work>(*prompt);
  if (begun) again->begun = begun;
  if (again->begun) {
    books_.interrupt(id);
    record_move(
        out, id, rollout_state::partial,
        cause + "; goes on behind " + std::to_string(token_count(*again->begun)) + " journalled tokens");
  } else {
    books_.reissue(id);
    record_move(out, id, rollout_state::waiting, cause);
  }
  const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                  [id](const auto &other) { return other->source->id > id; });
  waiting_.insert(place, std::move(again));
}

ledger_machine::decisions ledger_machine::lost(sampler_number sampler, const lost_work &held) {
  decisions out;
  if (sampler < samplers_.size()) samplers_[sampler] = {};
  for (const auto &[id, begun] : held.prompts)
    if (const auto prompt = running_.extract(id)) reissue(out, prompt.mapped(), begun, held.cause);
  hand_out(out);
  return out;
}

/// Books what news of a path or a learner means for a prompt.
void ledger_machine::apply(decisions &out, std::uint64_t id, const path_book::outcome &news,
                           const std::string &cause) {
  if (news.buffered) {
    books_.buffer(id);
    record_move(out, id, rollout_state::buffered, "scored");
  }
  if (news.excused) books_.excuse(id);
  if (news.trained) {
    books_.train(id);
    record_move(out, id, rollout_state::trained, cause);
  }
  if (news.dropped) {
    books_.drop(id, cause);
    record_move(out, id, rollout_state::dropped, cause);
  }
  if (news.forfeited) books_.forfeit(books_.group());
}

ledger_machine::decisions ledger_machine::kept(const std::string &path, std::uint64_t id) {
  decisions out;
  apply(out, id, paths_.book.keep(path, id), "");
  return out;
}

ledger_machine::decisions ledger_machine::dropped(const std::string &path, std::uint64_t id,
                                                  const std::string &reason) {
  decisions out;
  apply(out, id, paths_.book.drop(path, id), reason);
  pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::trained(const std::string &learner,
                                                  const std::vector<std::uint64_t> &ids,
                                                  std::int64_t version) {
  decisions out;
  for (const auto id : ids)
    apply(out, id, paths_.book.train(learner, id), "made version " + std::to_string(version));
  if (paths_.book.is_main(learner)) learner_version_ = version;
  const auto model = paths_.model_of.find(learner);
  if (model != paths_.model_of.end()) paths_.versions[model->second] = version;
  out.emplace_back(report_totals{});
  pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::left_untrained(const std::string &learner,
                                                         const std::vector<std::uint64_t> &ids,
                                                         const std::string &reason) {
  decisions out;  // no draw: the count must not fall for a moment
  for (const auto id : ids) apply(out, id, paths_.book.skip(learner, id), reason);
  return out;
}

ledger_machine::decisions ledger_machine::retired(const std::string &learner) {
  decisions out;
  for (const auto &[id, news] : paths_.book.retire(learner))
    apply(out, id, news, "\"" + learner + "\" has ended");
  return out;
}

ledger_machine::decisions ledger_machine::set_lead(std::int64_t versions) {
  decisions out;
  books_.set_lead(versions);
  pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::forfeit(std::int64_t rollouts) {
  decisions out;
  books_.forfeit(rollouts);
  if (rollouts < 0) pump(out);
  return out;
}

ledger_machine::decisions ledger_machine::interrupted(const std::vector<std::uint64_t> &begun,
                                                      const std::vector<std::uint64_t> &untouched) {
  decisions out;
  for (const auto id : begun) {
    books_.interrupt(id);
    record_move(out, id, rollout_state::partial, "the run was stopped; its tokens are in the journal");
  }
  for (const auto id : untouched) {
    books_.reissue(id);
    record_move(out, id, rollout_state::waiting, "the run was stopped before its first token");
  }
  return out;
}

void ledger_machine::write_state(state_text &text) const {
  text << stopped_ << ended_ << drawing_ << static_cast<std::int64_t>(spare_.size()) << learner_version_
       << newest_;
  for (const auto &prompt : waiting_)
    text << static_cast<std::int64_t>(prompt->source->id) << prompt->min_version;
  text.end();
  for (const auto &[id, prompt] : running_) text << static_cast<std::int64_t>(id) << prompt->min_version;
  text.end();
  for (const auto &each : samplers_) text << each.credit << each.version;
  text.end();
  books_.write_state(text);
  paths_.book.write_state(text);
  for (const auto &[model, version] : paths_.versions) text << model << version;
  text.end();
}

}  // namespace slipstream

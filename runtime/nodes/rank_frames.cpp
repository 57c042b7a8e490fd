#include "runtime/nodes/rank_frames.hpp"

#include <utility>

#include "models/files/cbor.hpp"
#include "models/plain_text.hpp"
#include "runtime/journal/bytes.hpp"
#include "runtime/journal/sound.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {
namespace {

void write(byte_writer &out, const sample &entry) {
  out.numbers(entry.tokens);
  out.number(entry.prompt_length);
  for (const auto *figures :
       {&entry.behaviour, &entry.reference, &entry.advantages, &entry.values, &entry.returns})
    out.floats(*figures);
  out.runs(entry.versions);
  out.runs(entry.cache_versions);
  out.text({reinterpret_cast<const char *>(entry.trained.data()), entry.trained.size()});
  out.put(entry.score);
  out.put(static_cast<std::uint8_t>(entry.truncated));
}
void read(byte_reader &in, sample &entry) {
  entry.tokens = in.numbers<std::int64_t>();
  entry.prompt_length = in.number();
  for (auto *figures : {&entry.behaviour, &entry.reference, &entry.advantages, &entry.values, &entry.returns})
    *figures = in.floats();
  entry.versions = in.runs(entry.tokens.size());
  entry.cache_versions = in.runs(entry.tokens.size());
  const auto trained = in.text();
  entry.trained.assign(trained.begin(), trained.end());
  entry.score = in.get<double>();
  entry.truncated = in.get<std::uint8_t>() != 0;
  require_sound(entry);
}

void write(byte_writer &out, const std::vector<sample_group_ptr> &groups) {
  out.count(groups.size());
  for (const auto &group : groups) {
    out.count(group->id);
    out.count(group->samples.size());
    for (const auto &entry : group->samples) write(out, entry);
    out.number(group->rollouts);
    out.text(group->drop_reason);
    out.count(group->scores.size());
    for (const auto &[scorer, scores] : group->scores) {
      out.text(scorer);
      out.count(scores.size());
      for (const double score : scores) out.put(score);
    }
    write(out, group->model_versions);
  }
}
void read(byte_reader &in, std::vector<sample_group_ptr> &groups) {
  for (auto left = in.items(6); left > 0; --left) {
    auto group = std::make_shared<sample_group>();
    group->id = in.count();
    for (auto samples = in.items(19); samples > 0; --samples) read(in, group->samples.emplace_back());
    group->rollouts = in.number();
    group->drop_reason = in.text();
    for (auto scorers = in.items(2); scorers > 0; --scorers) {
      auto &scores = group->scores[in.text()];
      for (auto numbers = in.items(sizeof(double)); numbers > 0; --numbers)
        scores.push_back(in.get<double>());
    }
    read(in, group->model_versions);
    groups.push_back(std::move(group));
  }
}

void write(byte_writer &, const meet_task &) {}
void write(byte_writer &out, const resume_task &task) {
  out.number(task.step);
  const auto state = nlohmann::json::to_cbor(task.state);  // keeps every bit
  out.text({reinterpret_cast<const char *>(state.data()), state.size()});
}
void write(byte_writer &out, const begin_task &task) {
  write(out, task.batch);
  out.put(task.now_ns);
  write(out, task.scoring_models);
  write(out, task.demonstrations);
}
void write(byte_writer &, const target_task &) {
  throw run_error("a rank in another process is told of a target");
}
void write(byte_writer &, const slice_task &) {}
void write(byte_writer &out, const complete_task &task) {
  out.put(task.now_ns);
}
void write(byte_writer &, const moments_task &) {}

void read(byte_reader &, meet_task &) {}
void read(byte_reader &in, resume_task &task) {
  task.step = in.number();
  task.state = read_cbor(in.text());
}
void read(byte_reader &in, begin_task &task) {
  read(in, task.batch);
  task.now_ns = in.get<std::int64_t>();
  read(in, task.scoring_models);
  read(in, task.demonstrations);
}
void read(byte_reader &, target_task &) {
  throw run_error("a target came over the link");
}
void read(byte_reader &, slice_task &) {}
void read(byte_reader &in, complete_task &task) {
  task.now_ns = in.get<std::int64_t>();
}
void read(byte_reader &, moments_task &) {}

void write(byte_writer &, const rank_ready &) {}
void write(byte_writer &out, const rank_done &done) {
  out.put(static_cast<std::uint8_t>(done.ended));
  out.text(done.text);
}
void write(byte_writer &out, const meeting_request &request) {
  out.count(request.number);
  out.text(request.bytes);
}
void write(byte_writer &out, const meeting_answer &answer) {
  out.count(answer.number);
  out.text(answer.bytes);
}
void read(byte_reader &, rank_ready &) {}
void read(byte_reader &in, rank_done &done) {
  const auto how = in.get<std::uint8_t>();
  if (how > static_cast<std::uint8_t>(rank_done::how::run)) throw run_error("an unknown end of a task");
  done.ended = static_cast<rank_done::how>(how);
  done.text = in.text();
}
void read(byte_reader &in, meeting_request &request) {
  request.number = in.count();
  request.bytes = in.text();
}
void read(byte_reader &in, meeting_answer &answer) {
  answer.number = in.count();
  answer.bytes = in.text();
}

template <class Variant>
void write_any(byte_writer &out, const Variant &any);
void write(byte_writer &out, const rank_task &task) {
  write_any(out, task);
}
template <class Variant>
void write_any(byte_writer &out, const Variant &any) {
  out.put(static_cast<std::uint8_t>(any.index()));
  std::visit([&](const auto &each) { write(out, each); }, any);
}

template <class Variant>
Variant read_any(byte_reader &in);
void read(byte_reader &in, rank_task &task) {
  task = read_any<rank_task>(in);
}
template <class Variant>
Variant read_any(byte_reader &in) {
  return read_alternative<Variant>(in, in.get<std::uint8_t>(), "a message of an unknown kind",
                                   [](byte_reader &from, auto &each) { read(from, each); });
}

}  // namespace

std::string encode_rank_message(const rank_message &message) {
  byte_writer out;
  write_any(out, message);
  return out.take();
}

rank_message decode_rank_message(std::string_view bytes) {
  byte_reader in(bytes);
  auto message = read_any<rank_message>(in);
  if (!in.at_end()) throw run_error("a message is longer than what it holds");
  return message;
}

rank_done done_with(const std::exception_ptr &problem) {
  if (!problem) return {};
  try {
    std::rethrow_exception(problem);
  } catch (const rank_lost &lost) {
    return {rank_done::how::lost, lost.what()};
  } catch (const input_error &wrong) {
    return {rank_done::how::input, wrong.what()};
  } catch (const std::exception &broken) {
    return {rank_done::how::run, plain_text(broken)};
  }
}

std::exception_ptr problem_of(const rank_done &done, const std::string &who) {
  const auto text = who + ": " + done.text;
  switch (done.ended) {
    case rank_done::how::well:
      return nullptr;
    case rank_done::how::lost:
      return std::make_exception_ptr(rank_lost(text));
    case rank_done::how::input:
      return std::make_exception_ptr(input_error(text));
    case rank_done::how::run:
      break;
  }
  return std::make_exception_ptr(run_error(text));
}

}  // namespace slipstream

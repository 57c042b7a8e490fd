#include "runtime/nodes/rank_frames.hpp"

#include <utility>

#include "models/files/cbor.hpp"
#include "models/plain_text.hpp"
#include "runtime/journal/field_forms.hpp"
#include "runtime/journal/sound.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {
namespace {

/// JSON with every bit of its numbers.
template <class Json>
struct as_cbor : field_form {
  explicit as_cbor(Json &x) : json(x) {}
  void write(auto &f) const { f(nlohmann::json::to_cbor(json)); }
  void read(auto &f) const { json = read_cbor(f.bytes.text()); }
  static std::size_t shortest() { return 1; }
  Json &json;
};

// The journal keeps samples in another form (runtime/journal/events.cpp).
constexpr auto sent_sample = [](auto &f, auto &x) {
  f(x.tokens, x.prompt_length, x.behaviour, x.reference, x.advantages, x.values, x.returns,
    as::stretches(x.versions, x.tokens), as::stretches(x.cache_versions, x.tokens), x.trained, x.score,
    x.truncated, x.kept.counts, x.kept.ids, as::checked([&] { require_sound(x); }));
};
constexpr auto sent_group = [](auto &f, auto &x) {
  f(x.id, as::listed_by(x.samples, sent_sample), x.rollouts, x.drop_reason, x.scores, x.model_versions);
};

}  // namespace

void fields(auto &f, of<resume_task> auto &x) {
  f(x.step, as_cbor(x.state));
}
void fields(auto &f, of<begin_task> auto &x) {
  f(as::listed_by(x.batch, sent_group), as::fixed(x.now_ns), x.scoring_models,
    as::listed_by(x.demonstrations, sent_group));
}
void fields(auto &, of<target_task> auto &) {
  throw run_error("a target cannot go to a rank in another process");
}
void fields(auto &f, of<complete_task> auto &x) {
  f(as::fixed(x.now_ns));
}
void fields(auto &f, of<rank_done> auto &x) {
  f(as::one_up_to(x.ended, rank_done::how::run, "an unknown end of a task"), x.text);
}
void fields(auto &f, of<meeting_request> auto &x) {
  f(x.number, x.bytes);
}
void fields(auto &f, of<meeting_answer> auto &x) {
  f(x.number, x.bytes);
}

std::string encode_rank_message(const rank_message &message) {
  return write_fields(message);
}

rank_message decode_rank_message(std::string_view bytes) {
  return read_fields<rank_message>(bytes, "a message is longer than what it holds");
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

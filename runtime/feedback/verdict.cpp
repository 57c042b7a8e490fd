#include "runtime/feedback/verdict.hpp"

#include "models/objectives/words.hpp"

namespace slipstream {
namespace {

constexpr word<pair_verdict> verdicts[] = {{"first", pair_verdict::first},
                                           {"second", pair_verdict::second},
                                           {"tie", pair_verdict::tie},
                                           {"both_bad", pair_verdict::both_bad}};

}  // namespace

std::string_view to_string(pair_verdict verdict) {
  return word_of(verdicts, verdict);
}

pair_verdict parse_verdict(std::string_view name) {
  return find_word(verdicts, "verdict", name);
}

}  // namespace slipstream

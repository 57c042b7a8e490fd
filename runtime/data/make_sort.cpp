#include "runtime/data/make_sort.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "runtime/data/words.hpp"

namespace slipstream {

namespace {

constexpr int demonstrations = 6000, sort_prompts = 4000, sort_heldout = 256;

// Lengths are equally likely: about 2,564 of the 9,990 four-digit strings with two different digits are
// taken.
std::string fresh_digits(words &random, std::set<std::string> &taken) {
  for (;;) {
    std::string digits(4 + random.below(4), '0');
    for (auto &digit : digits) digit = static_cast<char>('0' + random.below(10));
    const bool all_equal = digits.find_first_not_of(digits.front()) == std::string::npos;
    if (!all_equal && taken.insert(digits).second) return digits;
  }
}

std::string ascending(std::string digits) {
  std::sort(digits.begin(), digits.end());
  return digits;
}

std::string descending(std::string digits) {
  std::sort(digits.rbegin(), digits.rend());
  return digits;
}

std::string answered_prompts(int count, words &random, std::set<std::string> &taken) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    const auto digits = fresh_digits(random, taken);
    text += fmt::format("{{\"prompt\":\"sort {}=\",\"answer\":\"{}\"}}\n", digits, ascending(digits));
  }
  return text;
}

}  // namespace

std::vector<made_file> make_sort(std::uint64_t seed) {
  constexpr std::uint64_t digit_stream = 1, annotator_stream = 2;
  words digits_of(seed, digit_stream), annotator(seed, annotator_stream);
  std::set<std::string> taken;
  std::string demonstrated;
  std::uint32_t upwards = demonstrations / 2;
  for (std::uint32_t left = demonstrations; left > 0; --left) {
    const auto digits = fresh_digits(digits_of, taken);
    const bool up = annotator.below(left) < upwards;  // sampling without replacement: exactly half
    upwards -= up ? 1 : 0;
    demonstrated += fmt::format("{{\"prompt\":\"sort {}=\",\"response\":\"{}\"}}\n", digits,
                                up ? ascending(digits) : descending(digits));
  }
  const auto trained = answered_prompts(sort_prompts, digits_of, taken);
  const auto held = answered_prompts(sort_heldout, digits_of, taken);
  return {{"demonstrations.jsonl", demonstrated}, {"prompts.jsonl", trained}, {"heldout.jsonl", held}};
}

}  // namespace slipstream

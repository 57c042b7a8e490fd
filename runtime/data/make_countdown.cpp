#include "runtime/data/make_countdown.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>

#include "runtime/data/words.hpp"

namespace slipstream {
namespace {

constexpr int largest_number = 12, largest_target = 99;
constexpr std::size_t heldout = 256, prompts = 1000, demonstrations_a_problem = 6;
constexpr char signs[] = {'+', '-', '*'};

using numbers = std::array<int, 3>;
struct problem {
  int target = 0;
  numbers from{};
  auto operator<=>(const problem &) const = default;
};
using solutions = std::map<problem, std::set<std::string>>;

int apply(int a, char sign, int b) {
  return sign == '+' ? a + b : sign == '-' ? a - b : a * b;
}

/// Every way to write `order` with two signs, with parentheses only where they change the value.
void add_expressions(const numbers &order, solutions &found) {
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  const auto [a, b, c] = order;
  const auto add = [&](int value, std::string text) {
    if (value >= 1 && value <= largest_target) found[{value, sorted}].insert(std::move(text));
  };
  for (const char first : signs)
    for (const char second : signs) {
      const int leftwards = apply(apply(a, first, b), second, c);
      const int rightwards = apply(a, first, apply(b, second, c));
      const bool right_binds = second == '*' && first != '*', left_binds = first == '*' && second != '*';
      add(right_binds ? rightwards : leftwards, fmt::format("{}{}{}{}{}", a, first, b, second, c));
      if (right_binds) add(leftwards, fmt::format("({}{}{}){}{}", a, first, b, second, c));
      if (left_binds) add(rightwards, fmt::format("{}{}({}{}{})", a, first, b, second, c));
    }
}

solutions all_solutions() {
  solutions found;
  for (int a = 1; a <= largest_number; ++a)
    for (int b = 1; b <= largest_number; ++b)
      for (int c = 1; c <= largest_number; ++c) add_expressions({a, b, c}, found);
  return found;
}

std::string stated(const problem &task, words &random) {
  std::vector<int> order(task.from.begin(), task.from.end());
  random.shuffle(order);
  return fmt::format("{} from {}", task.target, fmt::join(order, " "));
}

std::string prompt_line(const problem &task, words &random) {
  const auto text = stated(task, random);
  return fmt::format("{{\"prompt\":\"make {}=\",\"answer\":\"{}\"}}\n", text, text);
}

}  // namespace

std::vector<made_file> make_countdown(std::uint64_t seed) {
  constexpr std::uint64_t share_stream = 3, text_stream = 4;
  words shares(seed, share_stream), texts(seed, text_stream);
  const auto found = all_solutions();
  std::vector<problem> tasks;
  for (const auto &[task, ways] : found) tasks.push_back(task);
  shares.shuffle(tasks);
  std::string held, shown, asked;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i < heldout + prompts) {
      (i < heldout ? held : asked) += prompt_line(tasks[i], texts);
      continue;
    }
    const auto &ways = found.at(tasks[i]);
    for (std::size_t line = 0; line < demonstrations_a_problem; ++line) {
      const auto pick = texts.below(static_cast<std::uint32_t>(ways.size()));
      const auto &way = *std::next(ways.begin(), static_cast<std::ptrdiff_t>(pick));
      shown += fmt::format("{{\"prompt\":\"make {}=\",\"response\":\"{}\"}}\n", stated(tasks[i], texts), way);
    }
  }
  return {{"demonstrations.jsonl", shown}, {"prompts.jsonl", asked}, {"heldout.jsonl", held}};
}

}  // namespace slipstream

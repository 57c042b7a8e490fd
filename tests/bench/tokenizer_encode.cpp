// How fast a tokenizer encodes: bench_tokenizer_encode [FOLDER] [FILE], where each line of FILE is a text.
// tests/bench/tokenizer.py runs it beside Hugging Face's library.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "models/files/json.hpp"
#include "models/tokenizers/tokenizer.hpp"

using namespace slipstream;

namespace {

std::vector<std::string> lines_of(const std::string &text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char **argv) {
  const std::string folder = argc > 1 ? argv[1] : "tests/data/golden/tokenizers/gpt2";
  const auto lines = lines_of(read_text(argc > 2 ? argv[2] : "docs/topology.md"));
  const auto begin = std::chrono::steady_clock::now();
  const auto text = load_tokenizer(folder);
  const double load = seconds_since(begin);
  std::size_t bytes = 0, ids = 0;
  for (const std::string &line : lines) bytes += line.size();
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    ids = 0;
    for (const std::string &line : lines) ids += text->encode(line).size();
    best = std::min(best, seconds_since(start));
  }
  fmt::print(
      "{{\"texts\": {}, \"bytes\": {}, \"ids\": {}, \"load_seconds\": {:.3f}, \"bytes_per_second\": "
      "{:.0f}}}\n",
      lines.size(), bytes, ids, load, static_cast<double>(bytes) / best);
}

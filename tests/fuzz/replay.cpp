// main() of a fuzzer without libFuzzer: runs it over the files given (and those in folders), and with
// --seconds N also over copies that are changed at random, for so long. --memory MB bounds what the process
// may ask for.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

namespace {

namespace fs = std::filesystem;
using bytes = std::vector<std::uint8_t>;

bytes read(const fs::path &file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<bytes> read_all(const std::vector<fs::path> &places) {
  std::vector<bytes> inputs;
  for (const auto &place : places) {
    if (!fs::is_directory(place)) {
      inputs.push_back(read(place));
      continue;
    }
    for (const auto &entry : fs::directory_iterator(place)) inputs.push_back(read(entry.path()));
  }
  return inputs;
}

// Flips, writes over, inserts, removes, doubles or cuts, a few times.
bytes changed(bytes input, const std::vector<bytes> &others, std::mt19937_64 &random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (auto times = 1 + below(6); times > 0; --times) {
    const auto at = static_cast<std::ptrdiff_t>(below(input.size()));
    switch (below(7)) {
      case 0:
        if (!input.empty()) input[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(1U << below(8));
        break;
      case 1:
        if (!input.empty()) input[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random());
        break;
      case 2:
        input.insert(input.begin() + at, 1 + below(4), static_cast<std::uint8_t>(random()));
        break;
      case 3:
        input.erase(input.begin() + at, input.begin() + at +
                                            static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(
                                                input.size() - static_cast<std::size_t>(at), 16))));
        break;
      case 4: {
        const auto count = below(std::min<std::size_t>(input.size() - static_cast<std::size_t>(at), 64));
        const bytes part(input.begin() + at, input.begin() + at + static_cast<std::ptrdiff_t>(count));
        input.insert(input.begin() + at, part.begin(), part.end());
        break;
      }
      case 5: {  // the end of another one
        const auto &other = others[below(others.size())];
        input.resize(static_cast<std::size_t>(at));
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size())),
                     other.end());
        break;
      }
      default:
        for (auto i = at; i < std::ssize(input) && i < at + 8; ++i) input[static_cast<std::size_t>(i)] = 0xff;
    }
  }
  return input;
}

}  // namespace

int main(int argc, char **argv) {
  std::vector<fs::path> places;
  double seconds = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
      seconds = std::strtod(argv[++i], nullptr);
    } else if (std::strcmp(argv[i], "--memory") == 0 && i + 1 < argc) {
      const auto most = static_cast<rlim_t>(std::strtoull(argv[++i], nullptr, 10)) << 20;
      const rlimit limit{most, most};
      ::setrlimit(RLIMIT_DATA, &limit);
    } else {
      places.emplace_back(argv[i]);
    }
  }
  auto inputs = read_all(places);
  if (inputs.empty()) inputs.emplace_back();
  for (const auto &input : inputs) LLVMFuzzerTestOneInput(input.data(), input.size());
  std::mt19937_64 random(1);
  std::size_t runs = inputs.size();
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    const auto input = changed(inputs[random() % inputs.size()], inputs, random);
    std::ofstream("last-input", std::ios::binary)  // what to look at when this one ends the program
        .write(reinterpret_cast<const char *>(input.data()), std::ssize(input));
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%zu inputs\n", runs);
  return 0;
}

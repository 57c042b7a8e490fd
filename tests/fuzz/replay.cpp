// main() of a fuzzer without libFuzzer: runs it over the files given (and those in folders), and with
// --seconds N also over copies that are changed at random, for so long (--seed: other ones). An input that
// takes over 20 s, or more memory than 64 MB and ten times itself, ends the program; it lies in the file
// last-input then.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <random>
#include <vector>

#include "tests/fuzz/fuzz.hpp"

// What the reader asks for is counted, in place of the allocator of the whole process (a sanitizer keeps its
// own).
namespace {

std::atomic<std::size_t> in_use{0}, most{0};

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"  // of operators that are inlined
namespace {

void *counted(void *memory) {
  if (!memory) throw std::bad_alloc();
  const auto now = in_use += ::malloc_usable_size(memory);
  for (auto seen = most.load(); now > seen && !most.compare_exchange_weak(seen, now);) {
  }
  return memory;
}

}  // namespace

void *operator new(std::size_t size) {
  return counted(std::malloc(size));
}

void *operator new(std::size_t size, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(step, (size + step - 1) / step * step));
}

void operator delete(void *memory) noexcept {
  in_use -= ::malloc_usable_size(memory);
  std::free(memory);
}

void operator delete(void *memory, std::size_t) noexcept {
  operator delete(memory);
}

void operator delete(void *memory, std::align_val_t) noexcept {
  operator delete(memory);
}

void operator delete(void *memory, std::size_t, std::align_val_t) noexcept {
  operator delete(memory);
}
#endif

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

void attempt(const bytes &input) {
  const std::size_t before = in_use;
  most = before;
  ::alarm(20);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  ::alarm(0);
  const std::size_t asked = most - before, allowed = (std::size_t{64} << 20U) + 10 * input.size();
  if (asked > allowed) {
    std::fprintf(stderr, "an input of %zu bytes asked for %zu\n", input.size(), asked);
    std::abort();
  }
}

}  // namespace

int main(int argc, char **argv) {
  std::vector<fs::path> places;
  double seconds = 0;
  std::uint64_t seed = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
      seconds = std::strtod(argv[++i], nullptr);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      places.emplace_back(argv[i]);
    }
  }
  auto inputs = read_all(places);
  if (inputs.empty()) inputs.emplace_back();
  for (const auto &input : inputs) attempt(input);
  std::mt19937_64 random(seed);
  std::size_t runs = inputs.size();
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (; std::chrono::steady_clock::now() < end; ++runs) {
    const auto input = changed(inputs[random() % inputs.size()], inputs, random);
    std::ofstream("last-input", std::ios::binary)  // what to look at when this one ends the program
        .write(reinterpret_cast<const char *>(input.data()), std::ssize(input));
    attempt(input);
  }
  std::printf("%zu inputs\n", runs);
  return 0;
}

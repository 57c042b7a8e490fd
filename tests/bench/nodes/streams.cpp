#include <ATen/ATen.h>
#include <fmt/format.h>

#include <chrono>
#include <cstring>
#include <string>

#include "tests/bench/nodes/measurements.hpp"
#include "tests/bench/nodes/processes.hpp"

namespace slipstream::bench {
namespace {

double memcpy_seconds(const arguments &chosen) {
  static const auto values = two_versions(chosen.elements());
  static const auto to = at::zeros({chosen.elements()});
  static std::size_t version = 0;
  const auto begin = std::chrono::steady_clock::now();
  std::memcpy(to.data_ptr(), values[version++ % 2].data_ptr(),
              static_cast<std::size_t>(chosen.elements()) * 4);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string ratio(double own, double other, const char *what) {
  return fmt::format("{:.2f} of {}", other / own, what);
}

}  // namespace

void show(const std::string &what, double time, double megabytes, const std::string &more) {
  fmt::print("{:<44} {:8.1f} ms {:9.0f} MB/s  {}\n", what, time * 1e3, megabytes / time, more);
  std::fflush(stdout);
}

void one_receiver(arguments chosen) {
  const auto megabytes = static_cast<double>(chosen.megabytes);
  group bare = pair_of(chosen, "serve-bare", "receive-bare"), stream = pair_of(chosen, "serve", "receive");
  chosen.half = true;
  group half = pair_of(chosen, "serve", "receive");
  chosen.half = false, chosen.shared = true;
  group memory = pair_of(chosen, "serve", "receive");
  chosen.touch = true;
  group read = pair_of(chosen, "serve", "receive");
  std::vector<group *> all{&bare, &stream, &half, &memory, &read};
  for (auto *one : all)
    for (int i = 0; i < 3; ++i) one->round();  // memory is touched, windows have grown
  for (auto *one : all) one->times.clear();
  std::vector<double> copies;
  memcpy_seconds(chosen);
  for (std::int64_t i = 0; i < chosen.rounds; ++i) {
    copies.push_back(memcpy_seconds(chosen));
    for (auto *one : all) one->round_again();
  }
  const double copy = median_of(copies);
  show("memcpy", copy, megabytes);
  show("shared memory, one process", memory.median(), megabytes, ratio(memory.median(), copy, "memcpy"));
  show("shared memory, and a first look at all of it", read.median(), megabytes,
       ratio(read.median(), copy, "memcpy"));
  show("bare socket", bare.median(), megabytes);
  show("stream, float32", stream.median(), megabytes,
       ratio(stream.median(), bare.median(), "the bare socket"));
  show("stream, bfloat16", half.median(), megabytes,
       ratio(half.median(), bare.median(), "the bare socket (twice the bytes)"));
}

void receiver_memory(arguments chosen) {
  const auto folder = chosen.spool.empty() ? "/var/tmp" : chosen.spool;
  struct way {
    const char *name;
    bool shared, keep;
    std::string spool;
  };
  for (const way &one :
       {way{"stream", false, true, ""}, way{"stream, spool", false, true, folder},
        way{"stream", false, false, ""}, way{"shared", true, true, ""}, way{"shared", true, false, ""}}) {
    chosen.shared = one.shared, chosen.keep = one.keep, chosen.touch = one.keep, chosen.spool = one.spool;
    group pair = pair_of(chosen, "serve", "receive");
    for (int i = 0; i < 5; ++i) pair.round();
    const auto figures = pair.receivers[0]->figures();
    const auto megabytes = [&](const char *when, const char *what) {
      return figures[when][what].get<std::int64_t>() >> 10;
    };
    const auto most = megabytes("after", "VmHWM") - megabytes("before", "VmHWM");
    fmt::print(
        "memory of a receiver, {:<13} {:<34} weights {} MB, at most {:+} MB more; {} MB of it its own at "
        "the end; a version in {:.0f} ms\n",
        one.name,
        one.keep ? "user holds the last version:" : "user copies onward, holds none:", chosen.megabytes,
        most - chosen.megabytes, megabytes("after", "RssAnon") - megabytes("before", "RssAnon"),
        pair.median() * 1e3);
    std::fflush(stdout);
  }
}

}  // namespace slipstream::bench

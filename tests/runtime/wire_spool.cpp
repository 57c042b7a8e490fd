#include <ATen/ATen.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/wire_ends.hpp"
#include "tests/support/wire_proxy.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;

namespace {

constexpr std::int64_t megabytes = (1 << 20) / 4;

bool lies_in_memory(const std::filesystem::path &folder) {
  struct statfs system {};
  return ::statfs(folder.c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC;
}

weight_client_options spooling(const endpoint &parent, const scratch &folder,
                               const wire_limits &limits = stream_limits()) {
  auto options = receiving_end::options(parent, limits);
  options.spool = folder.path();
  return options;
}

/// The mapping that a tensor lies in: what it shows, and how many kilobytes of it are in this process's
/// memory.
struct mapping {
  std::string what;
  std::int64_t resident = -1;
};
mapping mapping_of(const at::Tensor &flat) {
  const auto address = reinterpret_cast<std::uintptr_t>(flat.data_ptr());
  std::ifstream file("/proc/self/smaps");
  mapping found;
  bool here = false;
  for (std::string line; std::getline(file, line);) {
    std::uintptr_t begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      here = begin <= address && address < end;
      if (here) found.what = line;
    } else if (here && line.starts_with("Rss:")) {
      found.resident = std::stoll(line.substr(4));
    }
  }
  return found;
}

std::string problem_of(const std::string &folder) {
  try {
    check_spool(folder, "[nodes] spool");
  } catch (const input_error &problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a version that arrives in a spool is no memory of ours before somebody looks at it") {
  const scratch folder;
  if (lies_in_memory(folder.path())) return;
  weight_server server(anywhere, {}, stream_limits());
  receiving_end reader(spooling(server.address(), folder));
  at::Tensor held;
  for (std::int64_t version = 0; version < 4; ++version) {
    const auto sent = weights(8 * megabytes + 5, version);
    server.publish({"policy", version, sent});
    const auto got = reader.wait(version).flat;
    REQUIRE(got.defined());
    CHECK_THAT(mapping_of(got).what, Contains(folder.path().string()) && Contains(" r--s "));
    CHECK(mapping_of(got).resident == 0);
    if (held.defined()) CHECK(at::equal(held, weights(8 * megabytes + 5, version - 1)));
    CHECK(at::equal(got, sent));
    CHECK(mapping_of(got).resident >= 8 << 10);
    held = got;
    reader.let_go();
    CHECK(std::filesystem::is_empty(folder.path()));  // its file has no name
  }
}

TEST_CASE("what arrives in a spool is resumed, compared and rounded as in memory") {
  const scratch folder;
  if (lies_in_memory(folder.path())) return;
  auto limits = stream_limits();
  for (const auto type : {wire_type::float32, wire_type::bfloat16}) {
    limits.transit = type;
    weight_server server(anywhere, {}, limits);
    wire_proxy proxy(server.address(), {{.cut_after = 1'500'000}, {.flip_at = 500'000}});
    receiving_end reader(spooling(proxy.address(), folder, limits));
    const auto rounded = [&](const at::Tensor &values) {
      return type == wire_type::float32 ? values : values.to(at::kBFloat16).to(at::kFloat);
    };
    auto values = at::randn({4 * megabytes + 7});
    server.publish({"policy", 0, values});
    CHECK(at::equal(reader.wait(0).flat, rounded(values)));
    const auto chunks = reader.figure("chunks_received");
    CHECK(reader.figure("chunks_resumed") > 0);
    values = values.clone();
    values[3 * megabytes] = 100;
    server.publish({"policy", 1, values});
    CHECK(at::equal(reader.wait(1).flat, rounded(values)));
    CHECK(reader.figure("chunks_received") == chunks + 1);
    CHECK(reader.figure("chunks_same") == chunks - 1);
  }
}

TEST_CASE("a relay passes on from its spool what it does not look at itself") {
  const scratch folder;
  if (lies_in_memory(folder.path())) return;
  auto limits = stream_limits();
  for (const auto type : {wire_type::float32, wire_type::bfloat16}) {
    limits.transit = type;
    weight_server server(anywhere, {}, limits);
    auto options = spooling(server.address(), folder, limits);
    options.relay_listen = std::make_shared<const endpoint>(anywhere);
    receiving_end relay(options);
    receiving_end leaf(receiving_end::options(relay.client->relay_address(), limits));
    const auto values = at::randn({4 * megabytes + 7});
    const auto expected = type == wire_type::float32 ? values : values.to(at::kBFloat16).to(at::kFloat);
    server.publish({"policy", 1, values});
    CHECK(at::equal(leaf.wait(1).flat, expected));
    const auto got = relay.wait(1).flat;
    REQUIRE(got.defined());
    CHECK(mapping_of(got).resident == 0);
    CHECK(at::equal(got, expected));
  }
}

TEST_CASE("where the disk has no room for a version, it arrives in memory, and the next one on disk again") {
  const scratch folder;
  if (lies_in_memory(folder.path())) return;
  weight_server server(anywhere, {}, stream_limits());
  receiving_end reader(spooling(server.address(), folder));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit least{1 << 20, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &least) == 0);
  server.publish({"policy", 1, weights(2 * megabytes, 1)});
  const auto first = reader.wait(1).flat;
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  REQUIRE(first.defined());
  CHECK(at::equal(first, weights(2 * megabytes, 1)));
  CHECK(mapping_of(first).what.find(folder.path().string()) == std::string::npos);
  server.publish({"policy", 2, weights(2 * megabytes, 2)});
  const auto second = reader.wait(2).flat;
  REQUIRE(second.defined());
  CHECK_THAT(mapping_of(second).what, Contains(folder.path().string()));
  CHECK(at::equal(second, weights(2 * megabytes, 2)));
}

TEST_CASE("a folder that cannot be a spool is refused with the reason") {
  const scratch folder;
  CHECK(problem_of("").empty());
  if (!lies_in_memory(folder.path())) CHECK(problem_of(folder.path()).empty());
  CHECK_THAT(problem_of("var/tmp"),
             Contains("[nodes] spool: error: weights cannot be spooled to \"var/tmp\"") &&
                 Contains("beginning with /"));
  CHECK_THAT(problem_of(folder.path() / "none"), Contains("No such file or directory"));
  std::ofstream(folder.path() / "file") << "text";
  CHECK_THAT(problem_of(folder.path() / "file"), Contains("it is no folder"));
  if (lies_in_memory("/dev/shm"))
    CHECK_THAT(problem_of("/dev/shm"), Contains("it lies in memory (tmpfs); name a folder on a disk"));
  CHECK_THAT(problem_of("/proc"), Contains("weights cannot be spooled to \"/proc\""));
  auto options = receiving_end::options({"127.0.0.1", 1});
  options.spool = folder.path() / "none";
  CHECK_THROWS_AS(receiving_end(options), input_error);
}

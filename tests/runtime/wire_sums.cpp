#include <ATen/ATen.h>

#include "runtime/wire/early_sums.hpp"
#include "runtime/wire/frames.hpp"
#include "tests/support/wire_ends.hpp"
#include "tests/support/wire_proxy.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;

namespace {

constexpr std::int64_t megabytes = (1 << 20) / 4;

const char *bytes_of(const at::Tensor &values, std::int64_t from = 0) {
  return static_cast<const char *>(values.data_ptr()) + from;
}

}  // namespace

TEST_CASE("a checksum is the same in whatever pieces the bytes come") {
  const auto values = at::rand({300'001});
  const auto size = values.nbytes();
  for (const std::size_t piece : {1000, 65'536, 262'144, 5'000'000}) {
    wire::running_checksum sum;
    for (std::size_t at = 0; at < size; at += piece)
      sum.add(bytes_of(values, static_cast<std::int64_t>(at)), std::min(piece, size - at));
    CHECK(sum.sum() == wire::checksum(values.data_ptr(), size));
  }
}

TEST_CASE("checksums that are computed ahead are those of the chunks, from where they are wanted on") {
  const auto values = at::rand({10 * 16'384 + 3});
  const auto sum_of = [&](std::int64_t chunk) {
    const auto size = chunk < 10 ? std::size_t{65'536} : std::size_t{12};
    return wire::checksum(bytes_of(values, chunk * 65'536), size);
  };
  wire::early_sums all(11), some(11), none(11);
  all.compute(bytes_of(values), values.nbytes(), 65'536);
  some.go_on_at(7);
  some.compute(bytes_of(values), values.nbytes(), 65'536);
  none.stop();
  none.compute(bytes_of(values), values.nbytes(), 65'536);
  for (std::int64_t chunk = 0; chunk < 11; ++chunk) {
    CHECK(all.find(chunk) == sum_of(chunk));
    CHECK(some.find(chunk) == (chunk < 7 ? std::nullopt : std::optional(sum_of(chunk))));
    CHECK(!none.find(chunk));
  }
}

TEST_CASE("versions that nobody waits for any more are let go, also while their checksums are computed") {
  std::vector<at::Tensor> published;
  {
    wire::sums_thread thread;
    for (int i = 0; i < 20; ++i) {
      published.push_back(weights(4 * megabytes, i));
      const auto sums = std::make_shared<wire::early_sums>(4);
      thread.start(published.back(), 1 << 20, sums);
      if (i % 2 == 0) sums->stop();
    }
  }
  for (const auto &values : published) CHECK(values.use_count() == 1);
}

TEST_CASE("a thread computes one version's checksums after the other's") {
  wire::sums_thread thread;
  const auto values = weights(4 * megabytes, 0);
  for (int i = 0; i < 5; ++i) {
    const auto sums = std::make_shared<wire::early_sums>(4);
    thread.start(values, 1 << 20, sums);
    CHECK(eventually([&] { return sums->find(3).has_value(); }));
    CHECK(sums->find(3) == wire::checksum(bytes_of(values, 3 << 20), 1 << 20));
  }
}

TEST_CASE("a chunk is found damaged, whichever piece of it is") {
  auto limits = stream_limits();
  limits.chunk_bytes = 1 << 20;
  weight_server server(anywhere, {}, limits);
  const auto sent = weights(8 * megabytes, 1);
  server.publish({"policy", 1, sent});
  // In the first, a middle and the last piece of a chunk, in its head, and in the last chunk.
  wire_proxy proxy(server.address(), {{.flip_at = (2 << 20) + 1000},
                                      {.flip_at = (1 << 20) + 500'000},
                                      {.flip_at = (1 << 20) - 10},
                                      {.flip_at = (2 << 20) + 300},
                                      {.flip_at = 1'500'000}});
  receiving_end reader(receiving_end::options(proxy.address(), limits));
  CHECK(at::equal(reader.wait(1).flat, sent));
  CHECK(reader.versions() == std::vector<std::int64_t>{1});
  CHECK(reader.figure("connections") == 6);
  CHECK(reader.figure("chunks_received") == 8);  // a damaged one is not counted, no other comes twice
}

TEST_CASE("a server ends in the middle of a version's first transfer") {
  for (int attempt = 0; attempt < 10; ++attempt) {
    weight_server server(anywhere, {}, stream_limits());
    receiving_end reader(receiving_end::options(server.address()));
    server.publish({"policy", 1, weights(8 * megabytes, 1)});
    CHECK(eventually([&] { return reader.figure("chunks_received") > 0; }));
  }
}

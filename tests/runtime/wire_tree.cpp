#include <ATen/ATen.h>

#include <cstring>
#include <fstream>

#include "models/error.hpp"
#include "tests/support/wire_ends.hpp"
#include "tests/support/wire_proxy.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;

namespace {

constexpr std::int64_t megabytes = (1 << 20) / 4;

weight_client_options relay_options(const endpoint &parent, const wire_limits &limits = stream_limits()) {
  auto options = receiving_end::options(parent, limits);
  options.relay_listen = std::make_shared<const endpoint>(anywhere);
  return options;
}

/// How many stretches of shared memory this process has mapped to read only, as receivers do.
std::int64_t mapped_to_read() {
  std::ifstream file("/proc/self/maps");
  std::int64_t count = 0;
  for (std::string line; std::getline(file, line);)
    if (line.find(" r--s ") != std::string::npos &&
        line.find("memfd:slipstream weights") != std::string::npos)
      ++count;
  return count;
}

}  // namespace

TEST_CASE("in a chain of relays the learner sends each version once") {
  weight_server server(anywhere, {}, stream_limits());
  std::vector<std::unique_ptr<receiving_end>> readers;
  endpoint parent = server.address();
  for (int i = 0; i < 5; ++i) {
    readers.push_back(std::make_unique<receiving_end>(relay_options(parent)));
    parent = readers.back()->client->relay_address();
  }
  for (std::int64_t version = 0; version < 4; ++version) {
    server.publish({"policy", version, weights(3 * megabytes + 11, version)});
    for (const auto &reader : readers)
      CHECK(at::equal(reader->wait(version).flat, weights(3 * megabytes + 11, version)));
  }
  CHECK(server.figures()["bytes_sent"] == 4 * (3 * megabytes + 11) * 4);
  CHECK(readers[0]->client->figures()["relay"]["bytes_sent"] == 4 * (3 * megabytes + 11) * 4);
}

TEST_CASE("a relay passes chunks on before it has the whole version") {
  weight_server server(anywhere, {}, stream_limits());
  wire_proxy proxy(server.address(), {{.hold_after = 4 << 20}});
  receiving_end relay(relay_options(proxy.address()));
  receiving_end leaf(receiving_end::options(relay.client->relay_address()));
  server.publish({"policy", 1, weights(8 * megabytes, 1)});
  REQUIRE(proxy.wait_held());
  CHECK(eventually([&] { return leaf.figure("chunks_received") >= 60; }));
  CHECK(relay.versions().empty());
  CHECK(leaf.versions().empty());
  proxy.release();
  CHECK(at::equal(leaf.wait(1).flat, weights(8 * megabytes, 1)));
  CHECK(at::equal(relay.wait(1).flat, weights(8 * megabytes, 1)));
}

TEST_CASE("what a relay gives up, its readers give up") {
  weight_server server(anywhere, {}, stream_limits());
  wire_proxy proxy(server.address(), {{.hold_after = 4 << 20}});
  receiving_end relay(relay_options(proxy.address()));
  receiving_end leaf(receiving_end::options(relay.client->relay_address()));
  server.publish({"policy", 1, weights(64 * megabytes, 1)});
  REQUIRE(proxy.wait_held());
  REQUIRE(eventually([&] { return leaf.figure("chunks_received") >= 60; }));
  server.cancel("policy", 1);
  server.publish({"policy", 2, weights(64 * megabytes, 2)});
  proxy.release();
  CHECK(at::equal(leaf.wait(2).flat, weights(64 * megabytes, 2)));
  CHECK(relay.versions() == std::vector<std::int64_t>{2});
  CHECK(leaf.versions() == std::vector<std::int64_t>{2});
}

TEST_CASE("a leaf whose relay dies in a transfer goes on with the next parent, at the same chunk") {
  weight_server server(anywhere, {}, stream_limits());
  wire_proxy proxy(server.address(), {{.hold_after = 4 << 20}});
  auto relay = std::make_unique<receiving_end>(relay_options(proxy.address()));
  auto options = receiving_end::options(relay->client->relay_address());
  options.parents.push_back(server.address());
  receiving_end leaf(options);
  server.publish({"policy", 1, weights(8 * megabytes, 1)});
  REQUIRE(proxy.wait_held());
  REQUIRE(eventually([&] { return leaf.figure("chunks_received") >= 60; }));
  relay.reset();
  CHECK(at::equal(leaf.wait(1).flat, weights(8 * megabytes, 1)));
  CHECK(leaf.figure("chunks_received") == 128);
  CHECK(leaf.figure("chunks_resumed") >= 60);
  CHECK(leaf.client->figures()["parent"] == to_string(server.address()));
}

TEST_CASE("relays send only chunks that differ, and bfloat16 on as it came") {
  auto limits = stream_limits();
  limits.transit = wire_type::bfloat16;
  weight_server server(anywhere, {}, limits);
  receiving_end relay(relay_options(server.address()));
  receiving_end leaf(receiving_end::options(relay.client->relay_address()));
  auto values = at::randn({10 * 32768});  // 10 chunks
  server.publish({"policy", 0, values});
  REQUIRE(leaf.wait(0).flat.defined());
  values = values.clone();
  values[5 * 32768] = 100;
  server.publish({"policy", 1, values});
  const auto rounded = values.to(at::kBFloat16).to(at::kFloat);
  CHECK(at::equal(leaf.wait(1).flat, rounded));
  CHECK(at::equal(relay.wait(1).flat, rounded));
  CHECK(leaf.figure("chunks_received") == 11);
  CHECK(relay.figure("bytes_received") == 11 * 65536);
}

TEST_CASE("a late reader of a relay gets what the relay has") {
  weight_server server(anywhere, {}, stream_limits());
  receiving_end relay(relay_options(server.address()));
  server.publish({"policy", 3, weights(1000, 3)});
  REQUIRE(relay.wait(3).flat.defined());
  receiving_end leaf(receiving_end::options(relay.client->relay_address()));
  CHECK(at::equal(leaf.wait(3).flat, weights(1000, 3)));
}

TEST_CASE("who takes from whom in a tree") {
  for (const std::int64_t fanout : {1, 2, 3, 8}) {
    std::map<std::int64_t, int> children;
    for (std::int64_t index = 0; index < 100; ++index) {
      const auto parent = relay_parent(index, fanout);
      REQUIRE(parent >= -1);
      REQUIRE(parent < index);
      CHECK(++children[parent] <= fanout);
    }
  }
  CHECK(relay_parent(0, 1) == -1);
  CHECK(relay_parent(5, 1) == 4);
}

TEST_CASE(
    "processes of one machine share memory: no bytes on the socket, values that stay while somebody holds "
    "them") {
  wire_limits limits;
  weight_server server(anywhere, {}, limits);
  receiving_end one(receiving_end::options(server.address(), limits));
  receiving_end two(receiving_end::options(server.address(), limits));
  std::vector<at::Tensor> held;
  for (std::int64_t version = 0; version < 3; ++version) {
    server.publish({"policy", version, weights(3 * megabytes + 1, version)});
    held.push_back(one.wait(version).flat);
    REQUIRE(at::equal(held.back(), weights(3 * megabytes + 1, version)));
    REQUIRE(at::equal(two.wait(version).flat, weights(3 * megabytes + 1, version)));
  }
  one.let_go();
  two.let_go();
  for (std::int64_t version = 3; version < 10; ++version) {
    server.publish({"policy", version, weights(3 * megabytes + 1, version)});
    REQUIRE(two.wait(version).flat.defined());
    two.let_go();
    one.let_go();
  }
  for (std::int64_t version = 0; version < 3; ++version)
    CHECK(at::equal(held[static_cast<std::size_t>(version)], weights(3 * megabytes + 1, version)));
  CHECK(server.figures()["bytes_sent"] == 0);
  CHECK(two.figure("shared") == 10);
  CHECK(two.figure("bytes_received") == 0);
}

TEST_CASE("a reader has mapped the version that it holds, and no earlier one") {
  wire_limits limits;
  weight_server server(anywhere, {}, limits);
  receiving_end reader(receiving_end::options(server.address(), limits));
  at::Tensor held;
  for (std::int64_t version = 0; version < 6; ++version) {
    server.publish({"policy", version, weights(5000, version)});
    held = reader.wait(version).flat;
    reader.let_go();
  }
  REQUIRE(at::equal(held, weights(5000, 5)));
  CHECK(reader.figure("shared") == 6);
  CHECK(mapped_to_read() == 1);
  held = at::Tensor();
  CHECK(mapped_to_read() == 0);
}

TEST_CASE("shared memory that a reader left behind is not written again") {
  wire_limits limits;
  weight_server server(anywhere, {}, limits);
  auto gone = std::make_unique<receiving_end>(receiving_end::options(server.address(), limits));
  server.publish({"policy", 0, weights(5000, 0)});
  const auto kept = gone->wait(0).flat;
  REQUIRE(kept.defined());
  gone.reset();  // the connection ends, the tensor lives on
  receiving_end stays(receiving_end::options(server.address(), limits));
  for (std::int64_t version = 1; version < 8; ++version) {
    server.publish({"policy", version, weights(5000, version)});
    REQUIRE(stays.wait(version).flat.defined());
    stays.let_go();
  }
  CHECK(at::equal(kept, weights(5000, 0)));
}

TEST_CASE("a relay on the same machine passes on, over TCP, what came through memory") {
  wire_limits limits;
  limits.transit = wire_type::bfloat16;
  weight_server server(anywhere, {}, limits);
  receiving_end relay(relay_options(server.address(), limits));
  receiving_end leaf(receiving_end::options(relay.client->relay_address(), stream_limits()));
  const auto values = at::randn({2 * megabytes});
  server.publish({"policy", 1, values});
  CHECK(at::equal(leaf.wait(1).flat, values.to(at::kBFloat16).to(at::kFloat)));
  CHECK(at::equal(relay.wait(1).flat, values.to(at::kBFloat16).to(at::kFloat)));
  CHECK(relay.figure("shared") == 1);
  CHECK(server.figures()["bytes_sent"] == 0);
}

TEST_CASE("a client that is told of another parent goes over to it, in the middle of a transfer too") {
  weight_server server(anywhere, {}, stream_limits());
  wire_proxy slow(server.address(), {{.hold_after = 4 << 20}});
  receiving_end relay(relay_options(server.address()));
  receiving_end leaf(receiving_end::options(slow.address()));
  server.publish({"policy", 1, weights(8 * megabytes, 1)});
  REQUIRE(slow.wait_held());
  REQUIRE(eventually([&] { return leaf.figure("chunks_received") >= 60; }));
  leaf.client->set_parents({relay.client->relay_address(), server.address()});
  CHECK(at::equal(leaf.wait(1).flat, weights(8 * megabytes, 1)));
  CHECK(leaf.figure("chunks_resumed") >= 60);
  CHECK(leaf.client->figures()["parent"] == to_string(relay.client->relay_address()));
  const auto before = server.figures()["bytes_sent"].get<std::int64_t>();
  server.publish({"policy", 2, weights(8 * megabytes, 2)});
  CHECK(at::equal(leaf.wait(2).flat, weights(8 * megabytes, 2)));
  CHECK(server.figures()["bytes_sent"].get<std::int64_t>() - before == 8 * megabytes * 4);
}

TEST_CASE("a client that is told of another parent while it connects goes over, too") {
  weight_server server(anywhere, {}, stream_limits());
  receiving_end relay(relay_options(server.address()));
  for (int attempt = 0; attempt < 20; ++attempt) {
    receiving_end leaf(receiving_end::options(server.address()));
    leaf.client->set_parents({relay.client->relay_address(), server.address()});
    CHECK(eventually([&] {
      return leaf.client->figures()["connected"] == true &&
             leaf.client->figures()["parent"] == to_string(relay.client->relay_address());
    }));
  }
}

TEST_CASE("a client that is told of a parent that is not there takes from the next") {
  weight_server server(anywhere, {}, stream_limits());
  receiving_end leaf(receiving_end::options(server.address()));
  server.publish({"policy", 1, weights(megabytes, 1)});
  REQUIRE(leaf.wait(1).flat.defined());
  leaf.client->set_parents({{"127.0.0.1", 1}, server.address()});
  server.publish({"policy", 2, weights(megabytes, 2)});
  CHECK(at::equal(leaf.wait(2).flat, weights(megabytes, 2)));
  CHECK_THROWS_AS(leaf.client->set_parents({}), input_error);
  CHECK_THROWS_AS(leaf.client->set_parents({{"192.0.2.1", 7000}}), input_error);
}

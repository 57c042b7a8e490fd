#include <ATen/ATen.h>
#include <sys/stat.h>

#include <fstream>

#include "models/error.hpp"
#include "runtime/wire/certificates.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/wire_ends.hpp"
#include "tests/support/wire_proxy.hpp"
// Included last: it restores Catch2's macros, which LibTorch redefines.
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;

namespace {

wire_security of_node(const std::filesystem::path &folder, const std::string &name,
                      std::vector<std::string> names = {}) {
  return {folder / (name + ".pem"), folder / (name + ".key"), folder / "ca.pem", std::move(names)};
}

weight_client_options secured(const endpoint &parent, wire_security security) {
  auto options = receiving_end::options(parent);
  options.security = std::move(security);
  options.limits.patience = std::chrono::milliseconds(300);
  return options;
}

std::string problem_of(const wire_security &security) {
  try {
    check_security(security, "security.files");
  } catch (const input_error &problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

TEST_CASE("weights go through TLS between nodes whose names are on each other's lists") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a"});
  weight_server server(anywhere, of_node(folder.path(), "learner", {"a", "b"}), stream_limits());
  wire_proxy proxy(server.address());
  receiving_end reader(secured(proxy.address(), of_node(folder.path(), "a", {"learner"})));
  const auto sent = weights(1'000'000, 1);
  server.publish({"policy", 1, sent});
  CHECK(at::equal(reader.wait(1).flat, sent));
  CHECK(eventually([&] { return server.figures()["readers"].size() == 1; }));
  CHECK(server.figures()["readers"][0]["name"] == "a");  // the certificate's, not what the client says
  const auto [down, up] = proxy.recorded();
  CHECK(down.size() > 4'000'000);
  const std::string plain(reinterpret_cast<const char *>(sent.data_ptr()) + 400'000, 64);
  CHECK(down.find(plain) == std::string::npos);
}

TEST_CASE("a relay serves with the certificate that it takes with") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a", "b"});
  weight_server server(anywhere, of_node(folder.path(), "learner", {"a"}), stream_limits());
  auto options = secured(server.address(), of_node(folder.path(), "a", {"learner", "b"}));
  options.relay_listen = std::make_shared<const endpoint>(anywhere);
  receiving_end relay(options);
  receiving_end leaf(secured(relay.client->relay_address(), of_node(folder.path(), "b", {"a"})));
  server.publish({"policy", 1, weights(100'000, 1)});
  CHECK(at::equal(leaf.wait(1).flat, weights(100'000, 1)));
}

TEST_CASE("who has no right certificate gets no weights, on either side") {
  const scratch folder, other;
  make_certificates(folder.path(), {"learner", "a", "stranger"});
  make_certificates(other.path(), {"learner", "a"});
  weight_server server(anywhere, of_node(folder.path(), "learner", {"a"}), stream_limits());
  server.publish({"policy", 1, weights(1000, 1)});
  const auto refused = [&](wire_security security) {
    receiving_end reader(secured(server.address(), std::move(security)));
    const auto why = reader.wait_failed();
    CHECK(reader.versions().empty());
    return why;
  };
  CHECK_THAT(refused(of_node(folder.path(), "stranger")), Contains("TLS"));  // not on the server's list
  CHECK_THAT(refused(of_node(folder.path(), "a", {"another"})),
             Contains("TLS"));                                       // the server is not on ours
  CHECK_THAT(refused(of_node(other.path(), "a")), Contains("TLS"));  // another authority
  CHECK(!refused({}).empty());                                       // plain text
  CHECK(eventually([&] { return server.figures()["refused"] >= 4; }));
  CHECK(server.figures()["bytes_sent"] == 0);
  receiving_end right(secured(server.address(), of_node(folder.path(), "a")));
  CHECK(at::equal(right.wait(1).flat, weights(1000, 1)));
}

TEST_CASE("a secured client does not take plain weights") {
  const scratch folder;
  make_certificates(folder.path(), {"a"});
  weight_server server(anywhere, {}, stream_limits());
  server.publish({"policy", 1, weights(1000, 1)});
  receiving_end reader(secured(server.address(), of_node(folder.path(), "a")));
  CHECK(!reader.wait_failed().empty());
  CHECK(reader.versions().empty());
}

TEST_CASE("strangers who say half a greeting and wait do not keep a node from its weights") {
  const scratch folder;
  make_certificates(folder.path(), {"learner", "a"});
  auto limits = stream_limits();
  limits.handshake = std::chrono::minutes(10);
  weight_server server(anywhere, of_node(folder.path(), "learner"), limits);
  server.publish({"policy", 1, weights(1000, 1)});
  std::vector<int> strangers;
  for (int i = 0; i < 200; ++i) {
    strangers.push_back(connected_socket(server.address()));
    REQUIRE(::send(strangers.back(), "\x16\x03\x01\x01", 4, MSG_NOSIGNAL) == 4);
  }
  auto options = secured(server.address(), of_node(folder.path(), "a"));
  options.limits.patience = std::chrono::seconds(30);
  receiving_end reader(options);
  CHECK(reader.wait(1).flat.defined());
  for (const int socket : strangers) ::close(socket);
}

TEST_CASE("without certificates nothing leaves this machine") {
  CHECK_THROWS_WITH(weight_server({"0.0.0.0", 0}),
                    Contains("0.0.0.0:0 is not on this machine") && Contains("slipstream certs"));
  CHECK_THROWS_WITH(weight_server({"::", 0}), Contains("[::]:0 is not on this machine"));
  CHECK_THROWS_WITH(receiving_end(receiving_end::options({"192.0.2.1", 7000})),
                    Contains("192.0.2.1:7000 is not on this machine"));
  CHECK_THROWS_WITH(weight_server({"no such host", 0}), Contains("is not known"));
}

TEST_CASE("files that cannot work are found before anything starts, by name and with the mend") {
  const scratch folder, other;
  make_certificates(folder.path(), {"a", "b"});
  make_certificates(other.path(), {"a"});
  make_certificates(other.path(), {"old"}, -1);
  const auto a = of_node(folder.path(), "a");
  CHECK(problem_of(a).empty());
  CHECK(problem_of({}).empty());

  auto wrong = a;
  wrong.key.clear();
  CHECK_THAT(problem_of(wrong), Contains("security.files: error: no key is given"));
  wrong = a;
  wrong.certificate = folder / "c.pem";
  CHECK_THAT(problem_of(wrong),
             Contains((folder / "c.pem").string()) && Contains("cannot be read: No such file"));
  wrong = a;
  wrong.authority = folder.path();
  CHECK_THAT(problem_of(wrong), Contains("is a folder"));
  wrong = a;
  wrong.certificate = folder.write("junk.pem", "no certificate");
  CHECK_THAT(problem_of(wrong), Contains("junk.pem: the certificate is no certificate in PEM"));
  wrong = a;
  wrong.key = a.certificate;
  CHECK_THAT(problem_of(wrong), Contains("a.pem: the key is no private key"));
  wrong = a;
  wrong.key = folder / "b.key";
  CHECK_THAT(problem_of(wrong), Contains("b.key: the key does not belong to ") && Contains("a.pem"));
  wrong = a;
  wrong.authority = other / "ca.pem";
  CHECK_THAT(problem_of(wrong),
             Contains("a.pem: the certificate is not signed by ") && Contains((other / "ca.pem").string()));
  CHECK_THAT(problem_of(of_node(other.path(), "old")), Contains("old.pem: the certificate is out of date"));
  ::chmod(a.key.c_str(), 0644);
  CHECK_THAT(problem_of(a), Contains("may be read by others; chmod 600 "));
  CHECK_THROWS_WITH(weight_server(anywhere, a), Contains("chmod 600"));
}

TEST_CASE("certificates: private keys, one authority, more nodes later, nothing overwritten") {
  const scratch folder;
  const auto made = folder / "certs";
  make_certificates(made, {"learner", "node-2.rack"});
  const auto authority = read_text(made / "ca.pem");
  for (const char *key : {"ca.key", "learner.key", "node-2.rack.key"}) {
    struct stat file {};
    REQUIRE(::stat((made / key).c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0600);
  }
  CHECK_THROWS_WITH(make_certificates(made, {"late", "learner"}),
                    Contains("learner.pem: error: is there already"));
  CHECK(!std::filesystem::exists(made / "late.pem"));
  make_certificates(made, {"late"});
  CHECK(read_text(made / "ca.pem") == authority);
  CHECK(problem_of(of_node(made, "late")).empty());
  for (const char *bad : {"", "a b", "../x", "-x", "ca", "a,DNS:b", "a\nb"})
    CHECK_THROWS_AS(make_certificates(made, {bad}), input_error);
  CHECK_THROWS_WITH(make_certificates(made, {"twice", "twice"}), Contains("is there twice"));
  std::filesystem::remove(made / "ca.key");
  CHECK_THROWS_WITH(make_certificates(made, {"more"}), Contains("ca.key") && Contains("cannot be read"));
}

TEST_CASE("places to listen at") {
  CHECK(parse_endpoint("127.0.0.1:7000", "x") == endpoint{"127.0.0.1", 7000});
  CHECK(parse_endpoint("[::1]:80", "x") == endpoint{"::1", 80});
  CHECK(parse_endpoint("node-1.rack:65535", "x") == endpoint{"node-1.rack", 65535});
  CHECK(to_string(endpoint{"::1", 80}) == "[::1]:80");
  for (const char *bad : {"", ":", "host", "host:", ":80", "host:65536", "host:-1", "host:8x", "::1:80"})
    CHECK_THROWS_WITH(parse_endpoint(bad, "nodes.b.listen"),
                      Contains("nodes.b.listen: error: ") && Contains("HOST:PORT"));
}

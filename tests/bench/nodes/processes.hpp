#pragma once

#include <sys/types.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/bench/nodes/ends.hpp"

// The processes of a measurement: this program in other roles, told over pipes what to do.
namespace slipstream::bench {

/// Ends with this object, and with this process.
class child {
 public:
  /// `network`: the name of a network namespace, where it is not this one's.
  explicit child(std::vector<std::string> words, const std::string &network = "");
  ~child();
  child(const child &) = delete;
  child &operator=(const child &) = delete;

  void say(std::string line);
  /// What it says next. Throws run_error where it has ended, or failed.
  std::string line();
  nlohmann::json figures();

 private:
  pid_t pid_;
  int in_;
  std::FILE *out_;
};
using child_ptr = std::unique_ptr<child>;

double median_of(std::vector<double> values);

/// A server and its receivers.
struct group {
  child_ptr server;
  std::vector<child_ptr> receivers;
  std::vector<double> times;

  /// Seconds from publishing to the last receiver's having it.
  double round();
  /// The same where the one before is not counted: after a rest the first takes longer, whatever carries it.
  double round_again();
  double median() const { return median_of(times); }
};

/// The command line of a role.
std::vector<std::string> words(const arguments &chosen, const std::string &role, const std::string &place);
/// One receiver.
group pair_of(const arguments &chosen, const std::string &server, const std::string &receiver);
/// `fanout` 0: all take from the server. `network`: node i lives in the network of that name and i,
/// at 10.213.7.(i + 1).
group tree_of(const arguments &chosen, std::int64_t count, std::int64_t fanout,
              const std::string &network = "");

}  // namespace slipstream::bench

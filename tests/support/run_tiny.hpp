#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <sstream>
#include <string>
#include <vector>

#include "actors/context.hpp"
#include "actors/run.hpp"
#include "models/files/checkpoint.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

namespace slipstream::test {

/// What a run under virtual time leaves behind.
struct outcome {
  nlohmann::json result;
  std::string metrics;
  at::Tensor weights;
};

inline outcome run_tiny(const std::string &text, const std::string &status = "finished") {
  registry kinds;
  register_builtin(kinds);
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  const run_folder folder(plan.graph().run_folder());
  virtual_time world;
  run_options options;
  options.detached = false;
  const auto supervisor = world.own(spawn_topology(world.system(), plan, folder.paths(), options));
  const auto ended = request<json_ptr>(world, supervisor, wait_atom::value);
  REQUIRE(world.pass_until([&] { return ended->reply.has_value(); }, std::chrono::minutes(1)));
  outcome left{**ended->reply, read_text(folder.paths().metrics), {}};
  INFO(left.result.dump());
  REQUIRE(left.result["status"] == status);
  if (status != "finished") return left;
  left.weights = load_checkpoint(folder.paths().checkpoints / "last").flat;
  return left;
}

inline std::vector<nlohmann::json> lines(const std::string &text) {
  std::vector<nlohmann::json> result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.push_back(nlohmann::json::parse(line));
  return result;
}

}  // namespace slipstream::test

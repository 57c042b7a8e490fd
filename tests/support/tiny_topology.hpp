#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace slipstream::test {

/// A topology small enough to train in a moment; its folder is where data and runs are. Callers append keys
/// to the last table.
struct tiny_topology {
  std::string folder;  ///< of data and runs; "." for the working folder
  std::string name = "tiny";
  std::int64_t updates = 4, batch = 8, max_staleness = 1;
  std::string schedule = "";  ///< more keys of [schedule]
  std::string run_keys = "";  ///< of [run]

  std::string head(std::int64_t staleness) const {
    return "[run]\nname = \"" + name + "\"\nseed = 3\nupdates = " + std::to_string(updates) +
           "\nfolder = \"" + folder + "/runs\"\n" + run_keys +
           "[schedule]\nbatch = " + std::to_string(batch) + "\nmax_staleness = " + std::to_string(staleness) +
           "\n" + schedule +
           "[models.policy]\narchitecture = \"llama\"\nalphabet = \"0123456789=\"\nhidden_size = 16\n"
           "intermediate_size = 24\nlayers = 1\nheads = 2\nmax_positions = 24\n";
  }
  std::string sft() const {
    return head(max_staleness) + "[actors.demonstrations]\nkind = \"loader\"\ndataset = \"" + folder +
           "/demonstrations.jsonl\"\n[actors.learner]\nkind = \"learner\"\ntakes = \"demonstrations\"\n"
           "model = \"policy\"\nloss = \"sft\"\nlearning_rate = 1e-2\n";
  }
  std::string grpo() const {
    return head(max_staleness) + "[actors.prompts]\nkind = \"loader\"\ndataset = \"" + folder +
           "/prompts.jsonl\"\n[actors.sampler]\nkind = \"sampler\"\ntakes = \"prompts\"\nmodel = \"policy\"\n"
           "group = 4\nslots = 8\nmax_new_tokens = 5\n[actors.near]\nkind = \"scorer.edit_similarity\"\n"
           "takes = \"sampler\"\n[actors.advantage]\nkind = \"advantage.grpo\"\ntakes = \"near\"\n"
           "[actors.learner]\nkind = \"learner\"\ntakes = \"advantage\"\nmodel = \"policy\"\n"
           "loss = \"decoupled_ppo\"\nlearning_rate = 1e-2\n";
  }
};

/// demonstrations.jsonl and prompts.jsonl.
inline void write_tiny_data(const std::filesystem::path &folder) {
  std::ofstream demonstrations(folder / "demonstrations.jsonl"), prompts(folder / "prompts.jsonl");
  for (int i = 0; i < 20; ++i) {
    const auto number = std::to_string(i * 37 % 1000);
    const std::string reversed(number.rbegin(), number.rend());
    demonstrations << R"({"prompt":")" << number << R"(=","response":")" << reversed << "\"}\n";
    prompts << R"({"prompt":")" << number << R"(=","answer":")" << reversed << "\"}\n";
  }
}

}  // namespace slipstream::test

// Loading a checkpoint of 500 MB beside reading its bytes into memory, and the memory that either takes.
#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "models/files/checkpoint.hpp"

using namespace slipstream;
namespace fs = std::filesystem;

namespace {

model_spec half_a_gigabyte() {
  model_spec spec;
  spec.vocab_size = 16000, spec.hidden_size = 1024, spec.intermediate_size = 2816, spec.layers = 8;
  spec.heads = spec.kv_heads = 16, spec.head_dim = 64, spec.max_positions = 1024,
  spec.tied_embeddings = false;
  return spec;
}

// VmHWM or VmRSS of this process, in bytes.
double memory(const std::string &field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return 1024.0 * std::stod(line.substr(field.size() + 1));
  return 0;
}

struct cost {
  double seconds, peak;  // bytes above what was there before
};

template <class Work>
cost measure(const Work &work) {
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak starts anew
  const double before = memory("VmRSS");
  const auto start = std::chrono::steady_clock::now();
  work();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return {seconds, memory("VmHWM") - before};
}

void read_bytes(const fs::path &file) {
  const auto size = static_cast<std::size_t>(fs::file_size(file));
  const std::unique_ptr<char, void (*)(void *)> buffer(static_cast<char *>(std::malloc(size)), std::free);
  const int opened = ::open(file.c_str(), O_RDONLY);
  for (std::size_t done = 0; done < size;) {
    const auto got = ::read(opened, buffer.get() + done, size - done);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  ::close(opened);
}

}  // namespace

int main() {
  const fs::path folder = fs::temp_directory_path() / fmt::format("slipstream-bench-load-{}", ::getpid());
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    {
      checkpoint model;
      model.spec = half_a_gigabyte();
      model.flat = at::ones({parameter_count(model.spec)}, at::kFloat);
      save_checkpoint(folder, model, {}, "", {.type = type});
    }
    const double size = static_cast<double>(fs::file_size(folder / "model.safetensors"));
    std::vector<double> ratios;
    fmt::print("{} of {:.0f} MB, in the page cache: load / read in seconds and their ratio, peak / size\n",
               type_name(type), size / 1e6);
    for (int round = 0; round < 7; ++round) {
      const cost read = measure([&] { read_bytes(folder / "model.safetensors"); });
      const cost load = measure([&] { load_checkpoint(folder); });
      ratios.push_back(load.seconds / read.seconds);
      fmt::print("  {:.3f} / {:.3f} = {:.2f}   {:.2f}\n", load.seconds, read.seconds, ratios.back(),
                 load.peak / size);
    }
    std::sort(ratios.begin(), ratios.end());
    fmt::print("  median ratio {:.2f}\n", ratios[ratios.size() / 2]);
  }
  fs::remove_all(folder);
}

#include "runtime/learning/checkpoints.hpp"

#include <fmt/format.h>

#include "models/files/checkpoint.hpp"
#include "models/files/gguf/file.hpp"
#include "models/files/json.hpp"
#include "models/files/safetensors.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

// Adapters name a folder that PEFT can open: what came from one file is written once as a folder.
std::filesystem::path adapted_folder(const std::filesystem::path &folder, const trainer &core,
                                     const std::shared_ptr<const tokenizer> &text,
                                     const std::filesystem::path &base) {
  if (!is_model_file(base)) return base;
  const auto written = std::filesystem::absolute(folder / "base").lexically_normal();
  if (!std::filesystem::exists(written / "config.json")) {
    checkpoint whole{core.model().spec(), core.model().flat(), text, {}};
    if (whole.spec.labels > 0) {  // the head is the adapters'
      whole = load_checkpoint(base);
      whole.text = text;
    }
    save_checkpoint(written, whole, {}, "");
  }
  return written;
}

}  // namespace

void write_checkpoint(const std::filesystem::path &folder, trainer &core,
                      const std::shared_ptr<const tokenizer> &text, const std::filesystem::path &base) {
  const auto name = fmt::format("step-{:06}", core.version());
  nlohmann::json extra = core.state();
  extra["format"] = 1;
  checkpoint model{core.model().spec(), core.model().flat(), text, {}};
  if (const auto *adapter = core.model().adapter())
    model.adapter =
        stored_adapter{*adapter, core.model().trainable(), adapted_folder(folder, core, text, base)};
  save_checkpoint(folder / name, model, to_tensors(core.optimizer()), extra.dump(2));
  replace_link(folder / "last", name);
}

void resume_from(const std::filesystem::path &checkpoint, trainer &core) {
  const safetensors_file stored(checkpoint / "optimizer.safetensors");
  optimizer_tensors tensors;
  for (const auto &[name, tensor] : stored.tensors()) tensors.emplace_back(name, stored.get(name).clone());
  core.resume(adamw_from_tensors(tensors, core.model().trainable().numel()),
              read_json(checkpoint / "slipstream.json"));
}

}  // namespace slipstream

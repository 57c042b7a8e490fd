#include "runtime/learning/checkpoints.hpp"

#include <fmt/format.h>

#include "models/files/checkpoint.hpp"
#include "models/files/json.hpp"
#include "models/files/safetensors.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {

void write_checkpoint(const std::filesystem::path &folder, trainer &core,
                      const std::shared_ptr<const tokenizer> &text, const std::filesystem::path &base) {
  const auto name = fmt::format("step-{:06}", core.version());
  nlohmann::json extra = core.state();
  extra["format"] = 1;
  checkpoint model{core.model().spec(), core.model().flat(), text, {}};
  if (const auto *adapter = core.model().adapter())
    model.adapter = stored_adapter{*adapter, core.model().trainable(), base};
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

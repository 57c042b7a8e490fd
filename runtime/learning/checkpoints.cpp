#include "runtime/learning/checkpoints.hpp"

#include <fmt/format.h>

#include "models/files/checkpoint.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {

void write_checkpoint(const std::filesystem::path &folder, const trainer &core,
                      const std::shared_ptr<const tokenizer> &text, const std::filesystem::path &base) {
  const auto name = fmt::format("step-{:06}", core.version());
  const nlohmann::json extra = {{"format", 1}, {"version", core.version()}};
  checkpoint model{core.model().spec(), core.model().flat(), text, {}};
  if (const auto *adapter = core.model().adapter())
    model.adapter = stored_adapter{*adapter, core.model().trainable(), base};
  save_checkpoint(folder / name, model, to_tensors(core.optimizer()), extra.dump(2));
  replace_link(folder / "last", name);
}

}  // namespace slipstream

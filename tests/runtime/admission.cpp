#include "runtime/schedule/admission.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/support/test.hpp"

using slipstream::admission;

namespace {

/// The counts around the rule, and what each event of a reference case does to them.
struct books {
  admission rule;
  std::int64_t accepted = 0;
  std::int64_t running = 0;
  std::int64_t version = 0;

  /// Whether the event was allowed; only an attempt to admit can be refused.
  bool meet(int event) {
    if (event == 1) {
      if (!rule.can_admit(accepted + running, version)) return false;
      ++running;
    } else if (event == 2) {
      --running;
      ++accepted;
    } else if (event == 3) {
      --running;
    } else if (event == -1) {
      ++version;
    } else {
      FAIL("unknown event " << event);
    }
    return true;
  }
};

}  // namespace

TEST_CASE("the admission rule meets its reference values") {
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(slipstream::test::golden("algorithms"))) {
    if (entry.path().extension() != ".json") continue;
    const auto file = nlohmann::json::parse(std::ifstream(entry.path()));
    if (file.at("case") != "staleness_admission") continue;
    INFO(entry.path().string());
    ++files;
    books run{admission(file.at("params").at("batch").get<std::int64_t>(),
                        file.at("params").at("max_staleness").get<std::int64_t>())};
    std::vector<bool> admitted;
    for (const int event : file.at("inputs").at("events")) admitted.push_back(run.meet(event));
    const auto &expected = file.at("expected");
    CHECK(admitted == expected.at("admitted").get<std::vector<bool>>());
    CHECK(run.accepted == expected.at("accepted").get<std::int64_t>());
    CHECK(run.running == expected.at("running").get<std::int64_t>());
    CHECK(run.version == expected.at("version").get<std::int64_t>());
  }
  CHECK(files > 0);
}

TEST_CASE("no rollout that the rule admits is trained on more than the lead after its first token") {
  for (const std::int64_t batch : {1, 4, 7})
    for (const std::int64_t lead : {0, 1, 3}) {
      const admission rule(batch, lead);
      for (std::int64_t index = 0; index < 5 * batch; ++index) {
        const auto trained_at = index / batch;  // in strict order the batch of this rollout makes version + 1
        const auto oldest = rule.min_version(index);
        CHECK(trained_at - oldest <= lead);
        CHECK(rule.can_admit(index, oldest));
        CHECK_FALSE(rule.can_admit(index, oldest - 1));
      }
    }
}

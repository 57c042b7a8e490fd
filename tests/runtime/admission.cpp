#include "runtime/schedule/admission.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "tests/support/test.hpp"

using slipstream::admission;

TEST_CASE("the admission rule meets its reference values") {
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(slipstream::test::golden("algorithms"))) {
    if (entry.path().extension() != ".json") continue;
    const auto file = nlohmann::json::parse(std::ifstream(entry.path()));
    if (file.at("case") != "staleness_admission") continue;
    INFO(entry.path().string());
    ++files;
    admission rule(file.at("params").at("batch").get<std::int64_t>(),
                   file.at("params").at("max_staleness").get<std::int64_t>());
    std::vector<bool> admitted;
    for (const int event : file.at("inputs").at("events")) {
      admitted.push_back(event != 1 || rule.admit());  // other events are always allowed
      if (event == 2) rule.accept();
      if (event == 3) rule.drop_running();
      if (event == -1) rule.advance_to(rule.version() + 1);
    }
    const auto &expected = file.at("expected");
    CHECK(admitted == expected.at("admitted").get<std::vector<bool>>());
    CHECK(rule.accepted() == expected.at("accepted").get<std::int64_t>());
    CHECK(rule.running() == expected.at("running").get<std::int64_t>());
    CHECK(rule.version() == expected.at("version").get<std::int64_t>());
  }
  CHECK(files > 0);
}

TEST_CASE("room is how many the rule would admit one by one") {
  for (const std::int64_t batch : {1, 4, 7})
    for (const std::int64_t eta : {0, 1, 3}) {
      admission rule(batch, eta);
      for (int step = 0; step < 12; ++step) {
        auto counting = rule;
        std::int64_t count = 0;
        while (counting.can_admit() && counting.admit()) ++count;
        CHECK(rule.room() == count);
        CHECK(rule.can_admit() == (count > 0));
        if (rule.room() > 2) CHECK(rule.admit(3));
        if (rule.running() > 1 && step % 3 == 0) rule.accept(2);
        if (rule.accepted() > 0 && step % 4 == 3) rule.drop_accepted();
        if (step % 5 == 4) rule.advance_to(rule.version() + 1);
      }
    }
}

TEST_CASE("a synchronous run waits for each version, and a prompt names the version that its batch allows") {
  admission synchronous(4, 0);
  CHECK(synchronous.min_version() == 0);
  REQUIRE(synchronous.admit(4));
  CHECK_FALSE(synchronous.admit());
  synchronous.accept(4);
  CHECK_FALSE(synchronous.can_admit());
  synchronous.advance_to(1);
  CHECK(synchronous.min_version() == 1);
  CHECK(synchronous.room() == 4);
  synchronous.advance_to(0);
  CHECK(synchronous.version() == 1);
  CHECK_FALSE(synchronous.admit(5));
  CHECK(synchronous.running() == 0);
}

TEST_CASE("admission refuses what cannot be") {
  CHECK_THROWS_AS(admission(0, 1), slipstream::input_error);
  CHECK_THROWS_AS(admission(1, -1), slipstream::input_error);
  admission rule(2, 1);
  CHECK_THROWS_AS(rule.accept(), std::logic_error);
}

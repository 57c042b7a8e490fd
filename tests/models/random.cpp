#include "models/engine/random.hpp"

#include <cmath>
#include <set>

#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

void check_block(const philox_block &block, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                 std::uint32_t d) {
  CHECK(block.words[0] == a);
  CHECK(block.words[1] == b);
  CHECK(block.words[2] == c);
  CHECK(block.words[3] == d);
}

}  // namespace

// Known answers published with the Random123 library (philox4x32, 10 rounds).
TEST_CASE("Philox gives the published answers") {
  check_block(philox(0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  const std::uint64_t ones = ~std::uint64_t{0};
  check_block(philox(ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  check_block(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88), 0xd16cfe09, 0x94fdcceb,
              0x5001e420, 0x24126ea1);
}

TEST_CASE("uniform numbers lie in [0,1), spread evenly and differ in every coordinate") {
  double sum = 0.0, squares = 0.0;
  const std::uint32_t count = 20000;
  for (std::uint32_t position = 0; position < count; ++position) {
    const double u = uniform(3, 17, 2, position);
    REQUIRE(u >= 0.0);
    REQUIRE(u < 1.0);
    sum += u;
    squares += u * u;
  }
  CHECK(std::abs(sum / count - 0.5) < 0.01);
  CHECK(std::abs(squares / count - 1.0 / 3.0) < 0.01);
  const std::set<double> distinct{uniform(1, 2, 3, 4), uniform(2, 2, 3, 4), uniform(1, 3, 3, 4),
                                  uniform(1, 2, 4, 4), uniform(1, 2, 3, 5), uniform(1, 2, 4, 3)};
  CHECK(distinct.size() == 6);
  CHECK(uniform(1, 2, 3, 4) == uniform(1, 2, 3, 4));
}

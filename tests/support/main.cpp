#include <ATen/Parallel.h>
#define CATCH_CONFIG_RUNNER
#include "tests/support/test.hpp"

int main(int argc, char **argv) {
  at::set_num_threads(1);  // results repeat bit for bit
  return Catch::Session().run(argc, argv);
}

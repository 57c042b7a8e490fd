#include "runtime/plumbing/say.hpp"

#include <cstdio>

namespace slipstream {

void say(const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), stderr) != text.size()) std::clearerr(stderr);
}

}  // namespace slipstream

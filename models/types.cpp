#include "models/types.hpp"

namespace slipstream {

std::string_view to_string(finish_reason reason) {
  switch (reason) {
    case finish_reason::stop:
      return "stop";
    case finish_reason::length:
      return "length";
    case finish_reason::aborted:
      return "aborted";
  }
  return "unknown";
}

}  // namespace slipstream

#include "actors/failure.hpp"

#include <caf/all.hpp>

namespace slipstream {

caf::error to_exit_reason(const std::exception_ptr &thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const input_error &problem) {
    return caf::make_error(caf::sec::invalid_argument, std::string(problem.what()));
  } catch (const std::exception &problem) {
    return caf::make_error(caf::sec::runtime_error, std::string(problem.what()));
  } catch (...) {
    return caf::make_error(caf::sec::runtime_error, std::string("an exception of unknown type"));
  }
}

std::string failure_text(const caf::error &reason) {
  const auto &context = reason.context();
  if (context.size() == 1 && context.match_elements<std::string>()) return context.get_as<std::string>(0);
  return caf::to_string(reason);
}

}  // namespace slipstream

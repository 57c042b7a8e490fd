#include "actors/failure.hpp"

#include <caf/all.hpp>

#include "models/plain_text.hpp"

namespace slipstream {

caf::error to_exit_reason(const std::exception_ptr &thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const input_error &problem) {
    return caf::make_error(caf::sec::invalid_argument, std::string(problem.what()));
  } catch (const std::exception &problem) {
    return caf::make_error(caf::sec::runtime_error, plain_text(problem));
  } catch (...) {
    return caf::make_error(caf::sec::runtime_error, std::string("an exception of unknown type"));
  }
}

caf::error broken_request(const caf::error &reason, const std::string &request) {
  const auto code =
      reason == caf::sec::request_timeout ? caf::sec::request_timeout : caf::sec::request_receiver_down;
  return caf::make_error(code, request + ": " + failure_text(reason));
}

bool is_consequence(const caf::error &reason) {
  return reason == caf::sec::request_receiver_down;
}

std::string failure_text(const caf::error &reason) {
  const auto &context = reason.context();
  if (context.size() == 1 && context.match_elements<std::string>()) return context.get_as<std::string>(0);
  if (reason == caf::sec::request_timeout) return "no answer in time";
  if (reason == caf::sec::request_receiver_down) return "it ended without an answer";
  if (reason == caf::sec::runtime_error) return "it failed without an answer";
  if (reason.category() == caf::atom("exit")) return "it was ended from outside";
  return "unexpected (" + caf::to_string(reason) + ")";
}

}  // namespace slipstream

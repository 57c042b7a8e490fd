// What comes over sockets: frames of nodes, of ranks and of weight streams, and orders to place an actor.
#include "runtime/nodes/frames.hpp"

#include "runtime/nodes/placement_request.hpp"
#include "runtime/nodes/rank_frames.hpp"
#include "runtime/wire/frames.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace slipstream;

namespace {

template <class Read>
void attempt_wire(Read read) {
  try {
    read();
  } catch (const wire::wire_error &) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  const std::string payload(text);
  fuzz::attempt([&] { (void)decode_frame(text); });
  fuzz::attempt([&] { (void)decode_rank_message(text); });
  fuzz::attempt([&] { (void)decode_order(text); });
  attempt_wire([&] { (void)wire::unpack_hello(payload); });
  attempt_wire([&] { (void)wire::unpack_welcome(payload, {}); });
  attempt_wire([&] { (void)wire::unpack_join(payload, {}); });
  attempt_wire([&] { (void)wire::unpack_offer(payload); });
  attempt_wire([&] { (void)wire::unpack_want(payload); });
  attempt_wire([&] { (void)wire::unpack_same(payload); });
  return 0;
}

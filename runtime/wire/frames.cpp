#include "runtime/wire/frames.hpp"

#include <openssl/rand.h>
#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>  // turns XXH3_64bits() into one that uses what the processor has
#endif

#include <bit>
#include <cstring>
#include <fstream>
#include <new>

#include "runtime/journal/bytes.hpp"

namespace slipstream::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors travel as they lie in memory");

void put(byte_writer &to, const unique_id &id) {
  for (const unsigned char byte : id) to.put(byte);
}

unique_id get_id(byte_reader &from) {
  unique_id id;
  for (unsigned char &byte : id) byte = from.get<unsigned char>();
  return id;
}

std::string get_text(byte_reader &from, std::size_t longest) {
  auto text = from.text();
  if (text.size() > longest) throw wire_error("a name is too long");
  return text;
}

/// Reads a payload to its end.
template <class Read>
auto whole(const std::string &payload, Read read) {
  try {
    byte_reader from(payload);
    auto result = read(from);
    if (!from.at_end()) throw wire_error("a frame is longer than its content");
    return result;
  } catch (const run_error &problem) {
    throw wire_error(std::string("a frame is damaged: ") + problem.what());
  }
}

void put_preamble(byte_writer &to) {
  for (const char letter : magic) to.put(letter);
  to.put(format);
}

/// The magic is all that must stay as it is in later formats.
void check_preamble(byte_reader &from) {
  for (const char letter : magic)
    if (from.get<char>() != letter) throw wire_refusal("this is no weight stream");
  if (const auto theirs = from.get<std::uint32_t>(); theirs != format)
    throw wire_refusal("the other side speaks format " + std::to_string(theirs) +
                       " of weight streams, this one " + std::to_string(format) +
                       ": run the same program on all nodes");
}

void check_nonce(byte_reader &from, const unique_id &nonce) {
  if (get_id(from) != nonce) throw wire_error("this answers another connection (a replay?)");
}

}  // namespace

std::uint64_t checksum(const void *bytes, std::size_t size) {
  return XXH3_64bits(bytes, size);
}

void running_checksum::end::operator()(XXH3_state_s *state) const {
  XXH3_freeState(state);
}

running_checksum::running_checksum() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_64bits_reset(state_.get());
}

void running_checksum::add(const void *bytes, std::size_t size) {
  XXH3_64bits_update(state_.get(), bytes, size);
}

std::uint64_t running_checksum::sum() const {
  return XXH3_64bits_digest(state_.get());
}

head_buffer pack(frame_head head, std::uint64_t payload_checksum) {
  head_buffer bytes{};
  std::memcpy(bytes.data(), &head.length, 4);
  std::memcpy(bytes.data() + 4, &head.kind, 2);
  std::memcpy(bytes.data() + 8, &head.sequence, 8);
  std::memcpy(bytes.data() + 16, &head.argument, 8);
  head.checksum = payload_checksum ^ checksum(bytes.data(), head_bytes - 8);
  std::memcpy(bytes.data() + 24, &head.checksum, 8);
  return bytes;
}

frame_head unpack(const head_buffer &bytes) {
  frame_head head;
  std::uint16_t kind, reserved;
  std::memcpy(&head.length, bytes.data(), 4);
  std::memcpy(&kind, bytes.data() + 4, 2);
  std::memcpy(&reserved, bytes.data() + 6, 2);
  std::memcpy(&head.sequence, bytes.data() + 8, 8);
  std::memcpy(&head.argument, bytes.data() + 16, 8);
  std::memcpy(&head.checksum, bytes.data() + 24, 8);
  if (kind < 1 || kind > static_cast<std::uint16_t>(frame_kind::refuse) || reserved != 0)
    throw wire_error("this is no frame of a weight stream");
  head.kind = static_cast<frame_kind>(kind);
  return head;
}

std::uint64_t payload_checksum(const frame_head &head) {
  const head_buffer bytes = pack(head, 0);
  std::uint64_t of_head;
  std::memcpy(&of_head, bytes.data() + 24, 8);
  return head.checksum ^ of_head;
}

unique_id random_id() {
  unique_id id;
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1)
    throw run_error("the system has no random numbers");
  return id;
}

unique_id machine_id() {
  unique_id id{};
  std::string text;
  if (!(std::ifstream("/proc/sys/kernel/random/boot_id") >> text)) return id;
  const std::uint64_t halves[] = {checksum(text.data(), text.size()), checksum(text.data(), text.size() / 2)};
  std::memcpy(id.data(), halves, id.size());
  return id;
}

std::string pack_hello(const unique_id &nonce) {
  byte_writer to;
  put_preamble(to);
  put(to, nonce);
  return to.take();
}

unique_id unpack_hello(const std::string &payload) {
  return whole(payload, [](byte_reader &from) {
    check_preamble(from);
    return get_id(from);
  });
}

std::string pack_welcome(const welcome_text &text, const unique_id &nonce) {
  byte_writer to;
  put_preamble(to);
  for (const auto &id : {nonce, text.nonce, text.machine, text.token}) put(to, id);
  to.text(text.local_name);
  return to.take();
}

welcome_text unpack_welcome(const std::string &payload, const unique_id &nonce) {
  return whole(payload, [&](byte_reader &from) {
    check_preamble(from);
    check_nonce(from, nonce);
    welcome_text text;
    text.nonce = get_id(from);
    text.machine = get_id(from);
    text.token = get_id(from);
    text.local_name = get_text(from, longest_name);
    return text;
  });
}

std::string pack_join(const join_text &text, const unique_id &nonce) {
  byte_writer to;
  put(to, nonce);
  put(to, text.token);
  to.text(text.name);
  to.count(text.models.size());
  for (const auto &[model, held] : text.models) {
    to.text(model);
    to.put(held.elements);
    put(to, held.origin);
    to.put(held.version);
  }
  return to.take();
}

join_text unpack_join(const std::string &payload, const unique_id &nonce) {
  return whole(payload, [&](byte_reader &from) {
    check_nonce(from, nonce);
    join_text text;
    text.token = get_id(from);
    text.name = get_text(from, longest_name);
    for (auto models = from.items(33); models > 0; --models) {
      held_version held;
      auto model = get_text(from, longest_name);
      held.elements = from.get<std::uint64_t>();
      held.origin = get_id(from);
      held.version = from.get<std::int64_t>();
      if (!text.models.emplace(std::move(model), held).second) throw wire_error("a model is there twice");
    }
    return text;
  });
}

std::string pack_offer(const offer_text &text) {
  byte_writer to;
  to.text(text.model);
  put(to, text.origin);
  to.put(text.elements);
  to.put(text.chunk_bytes);
  to.put(text.type);
  to.put(static_cast<std::uint8_t>(text.last | text.mapped << 1));
  to.put(text.slot);
  return to.take();
}

offer_text unpack_offer(const std::string &payload) {
  return whole(payload, [](byte_reader &from) {
    offer_text text;
    text.model = get_text(from, longest_name);
    text.origin = get_id(from);
    text.elements = from.get<std::uint64_t>();
    text.chunk_bytes = from.get<std::uint32_t>();
    text.type = from.get<std::uint8_t>();
    const auto flags = from.get<std::uint8_t>();
    if (text.type > 1 || flags > 3) throw wire_error("an offer of an unknown kind");
    text.last = flags & 1, text.mapped = flags & 2;
    text.slot = from.get<std::uint64_t>();
    return text;
  });
}

std::string pack_want(const want_text &text) {
  byte_writer to;
  to.put(text.base);
  to.text({reinterpret_cast<const char *>(text.have.data()), text.have.size()});
  return to.take();
}

want_text unpack_want(const std::string &payload) {
  return whole(payload, [](byte_reader &from) {
    want_text text;
    text.base = from.get<std::int64_t>();
    const auto bits = from.text();
    text.have.assign(bits.begin(), bits.end());
    return text;
  });
}

std::string pack_same(std::uint32_t count) {
  byte_writer to;
  to.put(count);
  return to.take();
}

std::uint32_t unpack_same(const std::string &payload) {
  return whole(payload, [](byte_reader &from) { return from.get<std::uint32_t>(); });
}

}  // namespace slipstream::wire

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

#include "runtime/journal/field_forms.hpp"

namespace slipstream::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors travel as they lie in memory");

/// The magic is all that must stay as it is in later formats.
struct preamble : field_form {
  static void write(auto &f) {
    for (const char letter : magic) f(letter);
    f(format);
  }
  static void read(auto &f) {
    for (const char letter : magic)
      if (f.bytes.template get<char>() != letter) throw wire_refusal("this is no weight stream");
    if (const auto theirs = f.bytes.template get<std::uint32_t>(); theirs != format)
      throw wire_refusal("the other side speaks format " + std::to_string(theirs) +
                         " of weight streams, this one " + std::to_string(format) +
                         ": run the same program on all nodes");
  }
};

/// The nonce of this connection, which the other side repeats.
struct repeated : field_form {
  explicit repeated(const unique_id &ours) : nonce(ours) {}
  void write(auto &f) const { f(nonce); }
  void read(auto &f) const {
    unique_id theirs;
    f(theirs);
    if (theirs != nonce) throw wire_error("this answers another connection (a replay?)");
  }
  const unique_id &nonce;
};

/// Two flags in a byte.
template <class Flag>
struct two_flags : field_form {
  two_flags(Flag &first, Flag &second) : low(first), high(second) {}
  void write(auto &f) const { f(static_cast<std::uint8_t>(low | high << 1)); }
  void read(auto &f) const {
    const auto bits = f.bytes.template get<std::uint8_t>();
    if (bits > 3) throw wire_error("an offer of an unknown kind");
    low = bits & 1, high = bits & 2;
  }
  Flag &low, &high;
};

void require_short(const std::string &name) {
  if (name.size() > longest_name) throw wire_error("a name is too long");
}

/// A check that stands behind the name in a field list.
auto short_name(const std::string &name) {
  return as::checked([&name] { require_short(name); });
}

/// Reads a payload to its end.
template <class Text, class How = own_fields>
Text whole(const std::string &payload, How how = {}) {
  try {
    return read_fields<Text>(payload, "it is longer than its content", how);
  } catch (const run_error &problem) {
    throw wire_error(std::string("a frame is damaged: ") + problem.what());
  }
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

namespace {

struct hello_text {
  unique_id nonce;
};
constexpr auto hello_fields = [](auto &f, auto &x) { f(preamble{}, x.nonce); };

}  // namespace

void fields(auto &f, of<held_version> auto &x) {
  f(as::fixed(x.elements), x.origin, as::fixed(x.version));
}
void fields(auto &f, of<offer_text> auto &x) {
  constexpr auto unknown = "an offer of an unknown kind";
  f(x.model, short_name(x.model), x.origin, as::fixed(x.elements), x.chunk_bytes,
    as::within(x.type, 0, 1, unknown), two_flags(x.last, x.mapped), as::fixed(x.slot));
}
void fields(auto &f, of<want_text> auto &x) {
  f(as::fixed(x.base), x.have);
}

namespace {

auto welcome_fields(const unique_id &nonce) {
  return [&nonce](auto &f, auto &x) {
    f(preamble{}, repeated(nonce), x.nonce, x.machine, x.token, x.local_name, short_name(x.local_name));
  };
}

auto join_fields(const unique_id &nonce) {
  return [&nonce](auto &f, auto &x) {
    f(repeated(nonce), x.token, x.name, short_name(x.name), x.models, as::checked([&] {
        for (const auto &[model, held] : x.models) require_short(model);
      }));
  };
}

}  // namespace

std::string pack_hello(const unique_id &nonce) {
  return write_fields(hello_text{nonce}, hello_fields);
}

unique_id unpack_hello(const std::string &payload) {
  return whole<hello_text>(payload, hello_fields).nonce;
}

std::string pack_welcome(const welcome_text &text, const unique_id &nonce) {
  return write_fields(text, welcome_fields(nonce));
}

welcome_text unpack_welcome(const std::string &payload, const unique_id &nonce) {
  return whole<welcome_text>(payload, welcome_fields(nonce));
}

std::string pack_join(const join_text &text, const unique_id &nonce) {
  return write_fields(text, join_fields(nonce));
}

join_text unpack_join(const std::string &payload, const unique_id &nonce) {
  return whole<join_text>(payload, join_fields(nonce));
}

std::string pack_offer(const offer_text &text) {
  return write_fields(text);
}

offer_text unpack_offer(const std::string &payload) {
  return whole<offer_text>(payload);
}

std::string pack_want(const want_text &text) {
  return write_fields(text);
}

want_text unpack_want(const std::string &payload) {
  return whole<want_text>(payload);
}

std::string pack_same(std::uint32_t count) {
  return write_fields(count);
}

std::uint32_t unpack_same(const std::string &payload) {
  return whole<std::uint32_t>(payload);
}

}  // namespace slipstream::wire

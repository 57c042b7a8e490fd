#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct XXH3_state_s;  // of libxxhash

// The bytes of the weight streams (docs/wire.md). Nothing here reads or writes a socket.
namespace slipstream::wire {

/// The other side broke the protocol, took too long or went away: this connection ends, nothing else.
class wire_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The connection has ended without a fault that we know of.
class wire_closed : public wire_error {
 public:
  using wire_error::wire_error;
};

/// The other side does not want us, and trying again will not help.
class wire_refusal : public wire_error {
 public:
  using wire_error::wire_error;
};

constexpr std::uint32_t format = 1;
constexpr std::string_view magic = "SLWEIGHT";
constexpr std::size_t head_bytes = 32;
constexpr std::size_t longest_name = 256;
constexpr std::size_t longest_text = 4096;

enum class frame_kind : std::uint16_t {
  hello = 1,  // client: magic, format, nonce
  welcome,    // server: magic, format, both nonces, where shared memory is to be had
  join,       // client: the server's nonce, its name, its models and what it holds of them
  offer,      // server: a version
  want,       // client: from this version on, without these chunks
  chunk,      // server: bytes
  same,       // server: chunks that are as in the client's version
  cancel,     // both: no more of this version
  ping,       // both: I am alive
  done,       // client: I have the whole version
  release,    // client: nobody here reads this shared memory any more
  refuse,     // both: why this connection ends
};

/// What precedes each payload: little-endian length, kind, zero, sequence, argument, checksum.
struct frame_head {
  std::uint32_t length = 0;  ///< of the payload
  frame_kind kind = frame_kind::ping;
  std::uint64_t sequence = 0;  ///< 0, 1, 2 … in each direction
  std::uint64_t argument = 0;  ///< version, chunk index or slot
  std::uint64_t checksum = 0;  ///< of the payload and of what precedes it here
};

using head_buffer = std::array<unsigned char, head_bytes>;
using unique_id = std::array<unsigned char, 16>;

/// XXH3, 64 bits.
std::uint64_t checksum(const void *bytes, std::size_t size);
/// Computes the same checksum of bytes that come in pieces.
class running_checksum {
 public:
  running_checksum();
  void add(const void *bytes, std::size_t size);
  std::uint64_t sum() const;

 private:
  struct end {
    void operator()(XXH3_state_s *state) const;
  };
  std::unique_ptr<XXH3_state_s, end> state_;
};

/// Packs a head. Its checksum is computed from the payload's and from the bytes before it.
head_buffer pack(frame_head head, std::uint64_t payload_checksum);
/// Throws wire_error where the reserved bytes are not zero or the kind is unknown.
frame_head unpack(const head_buffer &bytes);
/// Returns the payload's checksum that a head states. If the bytes that came have another one, the frame is
/// damaged.
std::uint64_t payload_checksum(const frame_head &head);

/// A random id from the system.
unique_id random_id();
/// An id of this machine since it booted; all zero where the system does not tell it.
unique_id machine_id();

struct welcome_text {
  unique_id nonce{};       ///< the server's, which the client repeats
  unique_id machine{};     ///< of the server
  unique_id token{};       ///< what the client shows what the client shows at the local socket
  std::string local_name;  ///< abstract name of that socket; empty: no shared memory
};

struct held_version {
  std::uint64_t elements = 0;  ///< the number that the client expects; 0: any
  unique_id origin{};
  std::int64_t version = -1;  ///< -1: none yet
};

struct join_text {
  std::string name;
  unique_id token{};  ///< at the local socket
  std::map<std::string, held_version> models;
};

struct offer_text {
  std::string model;
  unique_id origin{};  ///< of the first server: one origin and version is one content
  std::uint64_t elements = 0;
  std::uint32_t chunk_bytes = 0;
  std::uint8_t type = 0;  ///< wire_type
  bool last = false;      ///< no newer version will come
  bool mapped = false;    ///< it lies in the shared memory of a slot, whose descriptor comes with this frame
  std::uint64_t slot = 0;
};

struct want_text {
  std::int64_t base = -1;          ///< a version of the same origin that chunks may be the same as; -1: none
  std::vector<std::uint8_t> have;  ///< one bit a chunk, least first; empty: none
};

/// These write texts as payloads and read them back. Reading throws wire_error for bytes that writing never
/// makes.
std::string pack_hello(const unique_id &nonce);
unique_id unpack_hello(const std::string &payload);
std::string pack_welcome(const welcome_text &text, const unique_id &nonce);
welcome_text unpack_welcome(const std::string &payload, const unique_id &nonce);
std::string pack_join(const join_text &text, const unique_id &nonce);
join_text unpack_join(const std::string &payload, const unique_id &nonce);
std::string pack_offer(const offer_text &text);
offer_text unpack_offer(const std::string &payload);
std::string pack_want(const want_text &text);
want_text unpack_want(const std::string &payload);
std::string pack_same(std::uint32_t count);
std::uint32_t unpack_same(const std::string &payload);

}  // namespace slipstream::wire

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace slipstream {

/// Whether the bytes begin as a gzip file does (RFC 1952), whatever its name is.
bool is_gzip(std::string_view bytes);

/// The contents of a gzip file, which may have several members. Throws input_error beginning with `name` when
/// it is cut off or damaged, or when it unpacks to more than `most_ratio` times its size and 16 MiB: text
/// does not, archives made to fill a memory do.
std::string gunzip(std::string_view bytes, const std::string &name, std::size_t most_ratio = 200);

}  // namespace slipstream

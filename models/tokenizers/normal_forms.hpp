#pragma once

#include <string>
#include <string_view>

namespace slipstream {

/// Unicode's normal forms (UAX #15).
enum class normal_form { nfc, nfd, nfkc, nfkd };

/// `text` (valid UTF-8) in a normal form.
std::string normalised(std::string_view text, normal_form form);

}  // namespace slipstream

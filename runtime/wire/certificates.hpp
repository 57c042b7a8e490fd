#pragma once

#include <openssl/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace slipstream {

/// Makes ca.pem and ca.key in a folder, unless they are there, and NAME.pem and NAME.key for each node,
/// signed by that authority: P-256, NAME as common name and DNS name, keys with mode 0600. A node's files
/// that are there are not replaced. Throws input_error with the mend for a name that is not valid and for a
/// file that is there already or cannot be read, run_error when the disk fails.
void make_certificates(const std::filesystem::path &folder, const std::vector<std::string> &names,
                       int days = 825);

namespace wire {

/// The name that a node's certificate bears: its first DNS name, or else its common name.
std::string node_name(X509 *certificate);

}  // namespace wire
}  // namespace slipstream

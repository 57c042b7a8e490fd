#include "runtime/topology/nodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/error.hpp"
#include "runtime/topology/resolved.hpp"
#include "runtime/topology/settings.hpp"
#include "runtime/wire/endpoint.hpp"

namespace slipstream {
namespace {

constexpr double longest_s = 86'400;

std::int64_t milliseconds(settings &s, const std::string &key, std::int64_t otherwise_ms, double least_s) {
  return std::llround(1000 * s.number(key, static_cast<double>(otherwise_ms) / 1000, least_s, longest_s));
}

void check_address(settings &s, const std::string &key, const std::string &address) {
  try {
    if (!address.empty()) parse_endpoint(address, key);
  } catch (const input_error &problem) {
    s.fail(key, without_error_mark(problem.what()));
  }
}

bool is_node_name(const std::string &name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-';
  });
}

node_config read_node(const std::string &name, const node &table) {
  settings s(table);
  node_config member;
  member.name = name;
  member.at = table.at;
  member.address = s.text("address", "");
  check_address(s, "address", member.address);
  member.launch = s.choice("launch", {"local", "ssh", "srun", "none"});
  member.host = s.text("host", "");
  if (member.launch == "ssh" && member.host.empty())
    s.fail("launch", "launch = \"ssh\" needs the machine's name; add host = \"…\"");
  if (member.host.rfind('-', 0) == 0)
    s.fail("host", "host must not begin with a dash: it would be taken for an option of ssh or srun");
  if (member.launch == "local" && !member.host.empty())
    s.fail("host", "host is for launch = \"ssh\" or \"srun\"; remove it, or set launch");
  member.program = s.text("program", "");
  member.certificate = s.text("certificate", "");
  member.key = s.text("key", "");
  member.threads = s.integer("threads", 0, 0, 4096);
  member.restarts = s.integer("restarts", 3, 0, 1'000'000);
  s.finish();
  return member;
}

}  // namespace

const node_config *nodes_config::find(const std::string &name) const {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const auto &p) { return p.name == name; });
  return found == members.end() ? nullptr : &*found;
}

std::string without_error_mark(std::string message) {
  constexpr std::string_view mark = ": error: ";
  if (const auto found = message.find(mark); found != std::string::npos)
    message.replace(found, mark.size(), ": ");
  return message;
}

nodes_config read_nodes(const node &document) {
  nodes_config nodes;
  const node *table = document.find("nodes");
  if (table == nullptr) return nodes;
  nodes.at = table->at;
  settings s(*table);
  nodes.listen = s.text("listen", nodes.listen);
  check_address(s, "listen", nodes.listen);
  nodes.weights = s.text("weights", "");
  check_address(s, "weights", nodes.weights);
  nodes.certificate = s.text("certificate", "");
  nodes.key = s.text("key", "");
  nodes.authority = s.text("authority", "");
  const int given = !nodes.certificate.empty() + !nodes.key.empty() + !nodes.authority.empty();
  if (given != 0 && given != 3)
    s.fail("certificate", "certificate, key and authority go together; give all three, or none");
  nodes.heartbeat_ms = milliseconds(s, "heartbeat", nodes.heartbeat_ms, 0.05);
  nodes.timeout_ms = milliseconds(s, "timeout", nodes.timeout_ms, 0.1);
  if (nodes.timeout_ms < 2 * nodes.heartbeat_ms)
    s.fail("timeout", "timeout must be at least two heartbeats, or a healthy node is taken for dead");
  nodes.patience_ms = milliseconds(s, "patience", nodes.patience_ms, 0.1);
  nodes.actor_restarts = s.integer("actor_restarts", nodes.actor_restarts, 0, 1'000'000);
  nodes.relay_fanout = s.integer("relay_fanout", nodes.relay_fanout, 0, 64);
  nodes.spool = s.text("spool", "");
  if (!nodes.spool.empty() && nodes.spool.front() != '/')
    s.fail("spool", "spool is a folder on the nodes' machines; give its whole path, beginning with /");
  for (const auto &entry : *table->as_table()) {
    if (entry.content.as_table() == nullptr) continue;
    if (!is_node_name(entry.key))
      fail_at(entry.at, fmt::format("\"{}\" cannot name a node; use letters, digits, dashes and underscores",
                                    entry.key));
    s.has(entry.key);
    nodes.members.push_back(read_node(entry.key, entry.content));
  }
  s.finish();
  return nodes;
}

std::string write_nodes(const nodes_config &nodes) {
  if (nodes.members.empty()) return "";
  const auto text = [](const std::string &key, const std::string &value) {
    return value.empty() ? std::string() : fmt::format("{} = {}\n", key, write_text(value));
  };
  const auto seconds = [](const std::string &key, std::int64_t ms) {
    return fmt::format("{} = {}\n", key, write_number(static_cast<double>(ms) / 1000));
  };
  std::string out =
      "\n[nodes]\n" + text("listen", nodes.listen) + text("weights", nodes.weights) +
      text("certificate", nodes.certificate) + text("key", nodes.key) + text("authority", nodes.authority) +
      seconds("heartbeat", nodes.heartbeat_ms) + seconds("timeout", nodes.timeout_ms) +
      seconds("patience", nodes.patience_ms) +
      fmt::format("actor_restarts = {}\nrelay_fanout = {}\n", nodes.actor_restarts, nodes.relay_fanout) +
      text("spool", nodes.spool);
  for (const auto &member : nodes.members)
    out += fmt::format("\n[nodes.{}]\n", write_key(member.name)) + text("address", member.address) +
           text("launch", member.launch) + text("host", member.host) + text("program", member.program) +
           text("certificate", member.certificate) + text("key", member.key) +
           fmt::format("threads = {}\nrestarts = {}\n", member.threads, member.restarts);
  return out;
}

}  // namespace slipstream

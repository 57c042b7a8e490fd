#include "runtime/laboratory/run_trace.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "runtime/kinds/kinds.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/topology/document.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

struct device_of_actor {
  std::string name;
  bool samples = false;
  std::int64_t threads = 1;  ///< 1 on a GPU
};

bool samples(const std::string &kind) {
  const auto found = builtin_kinds().find(kind);
  return found != builtin_kinds().end() && role_of(found->second.ports) == actor_role::sampler;
}

// The actors of the resolved topology, and replicas under their own names ("sampler-2").
class actor_names {
 public:
  explicit actor_names(const node &topology) {
    const auto *actors = topology.find("actors");
    if (actors == nullptr || actors->as_table() == nullptr) return;
    for (const auto &entry : *actors->as_table()) {
      const auto *kind = entry.content.find("kind"), *device = entry.content.find("device");
      const auto *threads = entry.content.find("threads");
      device_of_actor known{entry.key, kind != nullptr && kind->as_text() && samples(*kind->as_text()), 1};
      const bool cpu = device == nullptr || !device->as_text() || *device->as_text() == "cpu";
      if (cpu && threads != nullptr && threads->as_integer()) known.threads = *threads->as_integer();
      known_.emplace(entry.key, known);
    }
  }

  device_of_actor find(const std::string &name) const {
    if (const auto found = known_.find(name); found != known_.end()) return found->second;
    const auto dash = name.rfind('-');
    const bool number = dash != std::string::npos && dash + 1 < name.size() &&
                        name.find_first_not_of("0123456789", dash + 1) == std::string::npos;
    if (number)
      if (const auto found = known_.find(name.substr(0, dash)); found != known_.end()) return found->second;
    return {name, false, 1};
  }

 private:
  std::map<std::string, device_of_actor> known_;
};

class adding {
 public:
  adding(run_trace &trace, const actor_names &names, const run_clock &clock, std::int64_t end_ns)
      : trace_(trace), names_(names), clock_(clock), end_ns_(end_ns) {}

  void add(const nlohmann::json &event) {
    if (!event.contains("tid") || event.value("name", "") == "evaluate") return;
    const auto begin = static_cast<std::int64_t>(event.at("ts").get<double>() * 1e3);
    const auto busy = static_cast<std::int64_t>(event.at("dur").get<double>() * 1e3);
    const auto label = event.at("tid").get<std::string>();
    const auto actor = names_.find(label);
    const auto details = event.value("args", nlohmann::json::object());
    trace_.counts_tokens = trace_.counts_tokens || details.contains("tokens");
    if (clock_.at(begin) < end_ns_) {
      auto &time = trace_.actors[actor.name];
      seen_[actor.name].insert(label);
      time.replicas = static_cast<std::int64_t>(seen_[actor.name].size());
      time.busy += busy;
      time.queued += static_cast<std::int64_t>(details.value("queued", 0.0) * 1e3);
    }
    trace_.work.push_back(
        {clock_.at(begin + busy), busy * actor.threads, actor.samples ? details.value("tokens", 0) : 0});
  }

 private:
  run_trace &trace_;
  const actor_names &names_;
  const run_clock &clock_;
  std::int64_t end_ns_;
  std::map<std::string, std::set<std::string>> seen_;
};

void read_file(const fs::path &file, adding &sum) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    while (!line.empty() && (line.back() == ',' || line.back() == '\r')) line.pop_back();
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (event.is_object()) sum.add(event);
  }
}

}  // namespace

work_so_far run_trace::until(std::int64_t at_ns) const {
  const auto after =
      std::upper_bound(work.begin(), work.end(), at_ns,
                       [](std::int64_t at, const work_so_far &each) { return at < each.at_ns; });
  return after == work.begin() ? work_so_far{} : *(after - 1);
}

run_trace read_run_trace(const fs::path &folder, const run_clock &clock, std::int64_t end_ns) {
  const run_paths paths(folder);
  const actor_names names(read_document(paths.topology));
  run_trace trace;
  adding sum(trace, names, clock, end_ns);
  for (int part = 1; fs::exists(folder / ("trace-" + std::to_string(part) + ".json")); ++part)
    read_file(folder / ("trace-" + std::to_string(part) + ".json"), sum);
  read_file(paths.trace, sum);
  std::stable_sort(trace.work.begin(), trace.work.end(),
                   [](const auto &a, const auto &b) { return a.at_ns < b.at_ns; });
  work_so_far total;
  for (auto &each : trace.work) {
    total = {each.at_ns, total.device_ns + each.device_ns, total.generated + each.generated};
    each = total;
  }
  return trace;
}

}  // namespace slipstream

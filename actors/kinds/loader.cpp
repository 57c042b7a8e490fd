#include "actors/loader.hpp"

#include <set>

#include "actors/context.hpp"
#include "actors/kinds/datasets.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/error.hpp"
#include "runtime/kinds/loader_keys.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

row_format format_for(bool sampled, example_form form) {
  if (sampled) return row_format::prompts;
  return format_of(form);
}

struct checked_data {
  dataset data;
  bool sampled = false;
  bool truncate = false;
  example_form form = example_form::demonstration;
  text_style style;
  std::int64_t limit = 0;  ///< tokens of a prompt, or of prompt and answer
};

/// Whether the row may stay; throws for one that may not be too long.
bool keep(const example &row, const checked_data &all, too_long rule, std::int64_t context) {
  if (!all.sampled) return fitting_samples(all.data, row, all.form, all.style, context, rule).has_value();
  std::int64_t length = 0;
  try {
    length = static_cast<std::int64_t>(prompt_tokens(row, all.style).size());
  } catch (const input_error &problem) {
    throw input_error(all.data.place(row.row) + ": error: " + problem.what());
  }
  if (length > all.limit && (rule == too_long::error || all.limit < 1))
    fail_long(all.data.place(row.row), length + context - all.limit, context, true);
  return length <= all.limit || rule == too_long::truncate;
}

/// Checks each row's length; leaves out what is too long where the topology says so.
void check_lengths(checked_data &all, too_long rule, std::int64_t context, preflight &checks,
                   const actor_config &self) {
  dataset kept;
  for (const auto &row : all.data.rows) {
    if (!keep(row, all, rule, context)) continue;
    kept.places.push_back(all.data.places[static_cast<std::size_t>(row.row)]);
    kept.rows.push_back(row);
    kept.rows.back().row = static_cast<std::int64_t>(kept.rows.size()) - 1;
  }
  note_dropped(checks, self, all.data, kept.rows.size(), context);
  all.data.rows = std::move(kept.rows);
  all.data.places = std::move(kept.places);
}

/// A scorer downstream that compares answers with the line's, or null.
const actor_config *comparing_scorer(const preflight &checks, const actor_config &loader) {
  for (const auto &actor : checks.graph().actors) {
    const auto *sampler =
        actor.facts.compares_answers ? checks.upstream(actor, actor_role::sampler) : nullptr;
    if (sampler && sampler->takes.front().name == loader.name) return &actor;
  }
  return nullptr;
}

/// Without an answer a comparison gives every rollout the same score, and says nothing.
void check_answers(const checked_data &all, const preflight &checks, const actor_config &self) {
  const auto *scorer = comparing_scorer(checks, self);
  for (const auto &row : all.data.rows)
    if (scorer && row.answer.empty())
      throw input_error(all.data.place(row.row) + ": error: the line has no \"answer\", which [actors." +
                        scorer->name + "] (" + scorer->kind +
                        ") compares with; add it, or name the field that holds it: fields = { answer = "
                        "\"…\" }");
}

/// Of references that teach some lines each, every line must have one, or its answers would wait for ever.
void check_line_teachers(const checked_data &all, const preflight &checks, const actor_config &self) {
  std::set<std::string> teachers;
  for (const auto &actor : checks.graph().actors)
    if (const auto &teaches = actor.facts.teaches; !teaches.empty()) {
      const auto *sampler = checks.upstream(actor, actor_role::sampler);
      if (sampler && sampler->takes.front().name == self.name) teachers.insert(teaches);
    }
  for (const auto &row : all.data.rows)
    if (!teachers.empty() && !teachers.contains(row.teacher))
      throw input_error(all.data.place(row.row) + ": error: " +
                        (row.teacher.empty() ? "the line has no \"teacher\""
                                             : "no reference teaches = \"" + row.teacher + "\"") +
                        "; there are " + listed({teachers.begin(), teachers.end()}) +
                        ". A field of another name is read by fields = { teacher = \"…\" }");
}

checked_data read_checked(preflight &checks, const actor_config &self, const loader_keys &keys) {
  const auto takers = checks.takers(self.name);
  const auto *taker = takers.front();
  checked_data result;
  const auto samples = [](const actor_config &actor) { return actor.facts.role == actor_role::sampler; };
  result.sampled = samples(*taker);
  result.truncate = keys.long_lines == too_long::truncate;
  const auto form = [&](const actor_config &learner) {  // what stands beside the samples are demonstrations
    return learner.takes.front().name == self.name ? learner.facts.lines : example_form::demonstration;
  };
  if (!result.sampled) result.form = form(*taker);
  for (const auto *other : takers)
    if (samples(*other) != result.sampled || (!result.sampled && form(*other) != result.form))
      fail_at(other->at, "[actors." + other->name + "] needs other lines than [actors." + taker->name +
                             "], and both take from \"" + self.name + "\"; make two runs of them");
  result.data = read_dataset(checks, keys.data);
  const auto wanted = format_for(result.sampled, result.form);
  if (result.data.format != wanted && !(result.sampled && result.data.format == row_format::demonstrations))
    fail_at(self.node.find("dataset")->at,
            "[actors." + self.name + "] dataset holds " + std::string(to_string(result.data.format)) +
                ", but \"" + taker->name + "\" needs " + std::string(to_string(wanted)) +
                "; name a file with the fields that docs/data.md lists for them");
  if (!result.sampled && form(*taker) == taker->facts.lines)
    for (const auto &row : result.data.rows) check_judgement(result.data, row, *taker);
  const auto &model = described_model(checks, *taker);
  result.style = style_for(checks, taker->facts.model, keys.data, result.data);
  const auto context = model.spec.max_positions;
  result.limit = context;
  if (result.sampled) result.limit -= taker->facts.max_new_tokens;
  check_lengths(result, keys.long_lines, context, checks, self);
  if (result.sampled) {
    check_answers(result, checks, self);
    check_line_teachers(result, checks, self);
  }
  return result;
}

}  // namespace

void add_loader_kinds(registry &kinds) {
  kinds.add(kind_of(loader_row(), [](const actor_config &config) {
    const auto keys = config.keys.get<loader_keys>();
    auto checked = std::make_shared<checked_data>();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      *checked = read_checked(checks, *checks.graph().find_actor(name), keys);
    };
    const auto setup = [=](const topology &graph, std::uint64_t first_id) {
      const auto count = static_cast<std::int64_t>(checked->data.rows.size());
      loader_setup result{checked->data.rows,
                          cursor(graph.run.seed, count, keys.shuffle, first_id),
                          checked->style,
                          {},
                          checked->truncate ? checked->limit : 0};
      if (!checked->sampled) result.form = checked->form;
      return result;
    };
    plan.spawn = [=](spawn_context &context) {
      const auto first = context.resumed ? context.resumed->history.next_id() : 0;
      const auto loader = spawn_loader(context.system, setup(context.plan.graph(), first));
      for (const auto *taker : context.plan.takers(name))
        if (const auto *given = context.plan.demonstrations(*taker); given && given->name == name)
          caf::anon_send(context.learners.at(taker->name), subscribe_atom::value, loader);
      return context.own(name, loader);
    };
    plan.offline = [=](preflight &checks) {
      offline_part part;
      part.samples_drawn = [kept = std::make_shared<loader_setup>(setup(checks.graph(), 0))](
                               std::uint64_t id) { return make_drawn(*kept, kept->order.at(id)).samples; };
      part.row = [=](std::int64_t row) {
        return std::make_shared<const example>(checked->data.rows.at(static_cast<std::size_t>(row)));
      };
      return part;
    };
    return plan;
  }));
}

}  // namespace slipstream

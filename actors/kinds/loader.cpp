#include "actors/loader.hpp"

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/error.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/data/jsonl.hpp"

namespace slipstream {
namespace {

struct loader_keys {
  std::string dataset;
  bool shuffle = true;
};

/// What the learner makes of a line when no sampler stands between.
example_form form_for(const preflight &checks) {
  switch (find_objective(text_key(checks.learner(), "loss")).kind) {
    case input_kind::score_pairs:
    case input_kind::preference_pairs:
      return example_form::pair;
    case input_kind::scores:
      return example_form::rated;
    default:
      return example_form::demonstration;
  }
}

row_format format_for(bool sampled, example_form form) {
  if (sampled) return row_format::prompts;
  if (form == example_form::pair) return row_format::pairs;
  return form == example_form::rated ? row_format::scored : row_format::demonstrations;
}

void check_lengths(const dataset &data, const model_description &model, std::int64_t answer, bool sampled,
                   example_form form) {
  for (const auto &row : data.rows) {
    std::int64_t length = answer;
    try {
      if (sampled)
        length += static_cast<std::int64_t>(model.text->encode(row.prompt).size());
      else
        for (const auto &entry : example_samples(row, form, *model.text).samples)
          length = std::max(length, static_cast<std::int64_t>(entry.tokens.size()));
    } catch (const input_error &problem) {
      throw input_error(data.place(row.row) + ": error: " + problem.what());
    }
    if (length > model.spec.max_positions)
      throw input_error(data.place(row.row) + ": error: the line needs " + std::to_string(length) +
                        " tokens" + (sampled ? " (max_new_tokens included)" : "") +
                        ", the model's context is " + std::to_string(model.spec.max_positions) +
                        "; shorten the line, lower max_new_tokens or enlarge max_positions");
  }
}

struct checked_data {
  dataset data;
  bool sampled = false;
  example_form form = example_form::demonstration;
  std::shared_ptr<const tokenizer> text;
};

checked_data read_checked(preflight &checks, const actor_config &self, const loader_keys &keys) {
  const auto *taker = checks.takers(self.name).front();
  checked_data result;
  result.sampled = taker->kind == "sampler";
  result.form = form_for(checks);
  std::filesystem::path file = keys.dataset;
  if (file.is_relative() && !checks.graph().data.folder.empty()) file = checks.graph().data.folder / file;
  result.data = read_jsonl(file);
  const auto wanted = format_for(result.sampled, result.form);
  if (result.data.format != wanted && !(result.sampled && result.data.format == row_format::demonstrations))
    fail_at(self.node.find("dataset")->at,
            "[actors." + self.name + "] dataset holds " + std::string(to_string(result.data.format)) +
                ", but \"" + taker->name + "\" needs " + std::string(to_string(wanted)) +
                "; name a file with the fields that configs/README.md lists for them");
  const auto &model = described_model(checks, *taker);
  result.text = model.text;
  const auto answer =
      result.sampled ? static_cast<std::int64_t>(number_key(*taker, "max_new_tokens", 16)) : 0;
  check_lengths(result.data, model, answer, result.sampled, result.form);
  return result;
}

}  // namespace

void add_loader_kind(registry &kinds) {
  actor_kind kind;
  kind.name = "loader";
  kind.summary = "draws lines of a JSON Lines dataset in a shuffled order";
  kind.ports.gives = port_name<loader_actor>::value;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    loader_keys keys;
    keys.dataset = s.required_text("dataset");
    keys.shuffle = s.flag("shuffle", true);
    s.finish();
    config.node = s.resolved();
    auto checked = std::make_shared<checked_data>();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      *checked = read_checked(checks, *checks.graph().find_actor(name), keys);
    };
    plan.spawn = [=](spawn_context &context) {
      const auto count = static_cast<std::int64_t>(checked->data.rows.size());
      loader_setup setup{checked->data.rows,
                         cursor(context.plan.graph().run.seed, count, keys.shuffle,
                                context.resumed ? context.resumed->history.next_id() : 0),
                         checked->text,
                         {}};
      if (!checked->sampled) setup.form = checked->form;
      return context.own(name, spawn_loader(context.system, std::move(setup)));
    };
    return plan;
  };
  kinds.add(std::move(kind));
}

}  // namespace slipstream

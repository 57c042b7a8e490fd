#pragma once

/// The files that kinds of actors come from, by name: a new one has a line here, `NAME_rows()` in
/// runtime/kinds/ with what needs no tensor, and `add_NAME_kinds()` in actors/kinds/ with the plans of its
/// actors.
#define SLIPSTREAM_KINDS(each)                                                                          \
  each(loader) each(sampler) each(scorer) each(join) each(valued) each(reinforce_pp) each(distillation) \
      each(learner) each(evaluator)

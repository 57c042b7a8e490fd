#pragma once

/// The names of the files that define kinds of actors. A new file needs an entry here, `NAME_rows()` in
/// runtime/kinds/ with all that needs no tensor, and `add_NAME_kinds()` in actors/kinds/ with the plans of
/// its actors.
#define SLIPSTREAM_KINDS(each)                                                                          \
  each(loader) each(sampler) each(scorer) each(join) each(valued) each(reinforce_pp) each(distillation) \
      each(learner) each(evaluator)

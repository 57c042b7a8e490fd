# What needs no tensor: `libslipstream_core`, which the light program links and libslipstream is built on. It parses and
# checks topologies, derives the contract, and reads and writes texts, data and journals. A folder counts with all below it.
# tests/support/include_rule.py reads this list, too: none of these sources may include LibTorch or CAF.
set(SLIPSTREAM_CORE
  models/plain_text.cpp models/types.cpp models/templates/ models/tokenizers/
  models/engine/random.cpp
  models/files/cbor.cpp models/files/checksum.cpp models/files/gguf/ models/files/json.cpp models/files/mapping.cpp
  models/files/model_files.cpp models/files/model_tokens.cpp models/files/write_failure.cpp
  models/objectives/options.cpp models/objectives/table.cpp models/network/config.cpp models/network/families.cpp models/network/spec.cpp
  runtime/data/ runtime/feedback/ runtime/kinds/ runtime/laboratory/ runtime/plumbing/ runtime/run_folder/ runtime/schedule/ runtime/simulation/
  runtime/topology/ runtime/learning/batch_figures.cpp
  runtime/journal/events.cpp runtime/journal/history.cpp runtime/journal/journal.cpp runtime/journal/other_order.cpp
  runtime/journal/resume.cpp runtime/journal/sound.cpp runtime/journal/story.cpp
  runtime/wire/certificates.cpp runtime/wire/endpoint.cpp)

# Whether a source (a path from the root) is on the list, in `result`.
function(slipstream_is_core result source)
  set(${result} FALSE PARENT_SCOPE)
  foreach(entry ${SLIPSTREAM_CORE})
    string(FIND "${source}" "${entry}" place)
    if(place EQUAL 0)
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

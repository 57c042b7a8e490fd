# Writes OUTPUT, the source file that knows version and commit, and touches it only where they have changed: so a
# commit compiles this one file anew. Run at each build as `cmake -DSOURCE=… -DOUTPUT=… -DVERSION=… -P` this file.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} rev-parse --show-prefix OUTPUT_VARIABLE within ERROR_QUIET
                OUTPUT_STRIP_TRAILING_WHITESPACE)
execute_process(COMMAND git -C ${SOURCE} describe --always --abbrev=12 --dirty --exclude *
                OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed OR commit STREQUAL "" OR NOT within STREQUAL "")
  set(commit "unknown")  # no git, or sources without their history, or inside another project's
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "namespace slipstream {
const char *built_version();
const char *built_commit();
const char *built_version() {
  return \"@VERSION@\";
}
const char *built_commit() {
  return \"@commit@\";
}
}  // namespace slipstream
" @ONLY)

# Warnings and sanitizers for our own targets; dependencies are system headers.
function(slipstream_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                           -Woverloaded-virtual -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)  # false alarms on "text" + string (GCC bug 105651)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    # From 13 on it imagines overruns in std::vector code that is inlined into our files.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow)
  endif()
  if(CMAKE_UNITY_BUILD)  # names of one file meet those of another; a build without it (and clang) warns as ever
    target_compile_options(${target} PRIVATE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
  if(SLIPSTREAM_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(SLIPSTREAM_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${SLIPSTREAM_SANITIZE} -fno-omit-frame-pointer
                                             -fno-sanitize=vptr)
    target_link_options(${target} PUBLIC -fsanitize=${SLIPSTREAM_SANITIZE})
  endif()
endfunction()

# Target `headers_alone` (not part of `all`): every header compiles when nothing was included before it. A header that
# the .cpp beside it includes first is proven by the normal build; the others get a generated file each.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
     ${PROJECT_SOURCE_DIR}/models/*.hpp ${PROJECT_SOURCE_DIR}/runtime/*.hpp ${PROJECT_SOURCE_DIR}/actors/*.hpp
     ${PROJECT_SOURCE_DIR}/tests/*.hpp ${PROJECT_SOURCE_DIR}/examples/*.hpp)
set(generated)
foreach(header ${headers})
  string(REGEX REPLACE "\\.hpp$" ".cpp" partner ${PROJECT_SOURCE_DIR}/${header})
  set(first)
  if(EXISTS ${partner})
    file(STRINGS ${partner} first REGEX "^#include" LIMIT_COUNT 1)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${partner})
  endif()
  if(NOT first STREQUAL "#include \"${header}\"")
    set(source ${PROJECT_BINARY_DIR}/headers_alone/${header}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${header}\"\n")
    list(APPEND generated ${source})
  endif()
endforeach()
add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${generated})
set_target_properties(headers_alone PROPERTIES UNITY_BUILD OFF)
slipstream_warnings(headers_alone)
target_compile_options(headers_alone PRIVATE -O0)
target_compile_definitions(headers_alone PRIVATE SLIPSTREAM_SOURCE_DIR="" SLIPSTREAM_PROGRAM="")
target_link_libraries(headers_alone PRIVATE slipstream_models slipstream_runtime slipstream_actors
                                            slipstream_runtime_core slipstream_commands Catch2::Catch2)

# `find_package(slipstream)`, `pkg-config slipstream` and `#include "runtime/types.hpp"` work from an installed tree as in
# this one. The components are those of the Debian packages: program, library and development.
include(CMakePackageConfigHelpers)
set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)
set_target_properties(slipstream_core slipstream slipstream_program PROPERTIES
  INSTALL_RPATH "$ORIGIN;$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" INSTALL_RPATH_USE_LINK_PATH ON)
file(RELATIVE_PATH from_libexec /${CMAKE_INSTALL_LIBEXECDIR}/slipstream /${CMAKE_INSTALL_LIBDIR})
set_target_properties(slipstream_compute PROPERTIES INSTALL_RPATH "$ORIGIN/${from_libexec}" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS slipstream_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
install(TARGETS slipstream_compute RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/slipstream COMPONENT program)
install(TARGETS slipstream_core slipstream EXPORT slipstream_targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT library NAMELINK_COMPONENT development)

# Configurations, guides, and what the program says of itself.
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/slipstream COMPONENT program USE_SOURCE_PERMISSIONS)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)  # where README.md looks for them
if(NOT CMAKE_CROSSCOMPILING)  # the manual comes out of the program
  configure_file(cmake/install_manual.cmake.in install_manual_configured.cmake @ONLY)
  file(GENERATE OUTPUT install_manual.cmake INPUT ${CMAKE_CURRENT_BINARY_DIR}/install_manual_configured.cmake)
  install(SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/install_manual.cmake COMPONENT program)
endif()

# Headers, CMake and pkg-config files, examples.
install(DIRECTORY models runtime actors DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/slipstream
        FILES_MATCHING PATTERN "*.hpp")
file(GLOB examples CONFIGURE_DEPENDS examples/*.cpp)
install(FILES ${examples} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(EXPORT slipstream_targets NAMESPACE slipstream:: FILE slipstream-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)
configure_package_config_file(cmake/slipstream-config.cmake.in slipstream-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)
write_basic_package_version_file(slipstream-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/slipstream-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/slipstream-config-version.cmake cmake/FindCAF.cmake
              cmake/dependencies.cmake cmake/torch.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)

# slipstream.pc finds its prefix from where it lies. A Python wheel's headers need what only CMake files can do.
if(NOT SLIPSTREAM_TORCH_FOLDER)
  file(RELATIVE_PATH slipstream_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" slipstream_prefix ${slipstream_prefix})
  set(slipstream_cflags ${OpenMP_CXX_FLAGS})
  foreach(folder ${TORCH_INCLUDE_DIRS})
    if(NOT folder IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
      string(APPEND slipstream_cflags " -isystem ${folder}")
    endif()
  endforeach()
  configure_file(cmake/slipstream.pc.in slipstream.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/slipstream.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

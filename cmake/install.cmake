# `find_package(slipstream)` and `#include "runtime/types.hpp"` work from an installed tree as in this one.
include(CMakePackageConfigHelpers)
set_target_properties(slipstream slipstream_program PROPERTIES
  INSTALL_RPATH "$ORIGIN;$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS slipstream slipstream_program EXPORT slipstream_targets
        RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY models runtime actors DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/slipstream
        FILES_MATCHING PATTERN "*.hpp")
install(DIRECTORY configs DESTINATION ${CMAKE_INSTALL_DATADIR}/slipstream)
install(EXPORT slipstream_targets NAMESPACE slipstream:: FILE slipstream-targets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)
configure_package_config_file(cmake/slipstream-config.cmake.in slipstream-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)
write_basic_package_version_file(slipstream-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/slipstream-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/slipstream-config-version.cmake cmake/FindCAF.cmake
              cmake/dependencies.cmake cmake/torch.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/slipstream)

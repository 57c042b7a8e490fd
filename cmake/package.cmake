# Packages by CPack: `cpack -G DEB` and `cpack -G TGZ` in a build folder; `./dev package` does both (docs/install.md).
# Three Debian packages, as Debian cuts a program with a library: `slipstream` for those who run it, `libslipstream1`
# named by its SONAME so that programs built on it can depend on it, `libslipstream-dev` for those who build such programs
# and need the headers of LibTorch, CAF and others, which a run does not.
set(SLIPSTREAM_MAINTAINER "Slipstream developers <slipstream@example.org>" CACHE STRING
    "Maintainer that the Debian packages name; the variables DEBFULLNAME and DEBEMAIL come first")
set(CPACK_PACKAGE_CONTACT "${SLIPSTREAM_MAINTAINER}")
if(DEFINED ENV{DEBFULLNAME} AND DEFINED ENV{DEBEMAIL})
  set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGE_NAME slipstream)
set(CPACK_PACKAGE_VENDOR "Slipstream")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL library program development)

# The tarball: everything, below one folder, for a prefix of one's own.
string(TOLOWER "${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}" slipstream_system)
set(CPACK_PACKAGE_FILE_NAME slipstream-${PROJECT_VERSION}-${slipstream_system})
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)

# The release of the system is a part of the version: a package fits the LibTorch of one release, and is replaced by the
# next release's when the system is upgraded.
cmake_host_system_information(RESULT slipstream_release QUERY DISTRIB_VERSION_ID)
cmake_host_system_information(RESULT slipstream_codename QUERY DISTRIB_VERSION_CODENAME)
cmake_host_system_information(RESULT slipstream_distribution QUERY DISTRIB_ID)
if(slipstream_distribution STREQUAL "debian")
  set(slipstream_distribution deb)
endif()
if(NOT slipstream_codename)
  set(slipstream_codename unstable)
endif()
if(NOT slipstream_release)
  set(slipstream_release ${slipstream_codename})
endif()
string(REGEX REPLACE "[^A-Za-z0-9.+~]" "" CPACK_DEBIAN_PACKAGE_RELEASE
       "1~${slipstream_distribution}${slipstream_release}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_SOURCE slipstream)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(slipstream_about "A training run is a graph of actors that a TOML file draws: supervised
fine-tuning, reward modelling and reinforcement learning with bounded
staleness, on LibTorch and the C++ Actor Framework.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME slipstream)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "instruction tuning and asynchronous RLHF as graphs of actors
${slipstream_about}
.
This package holds the program, its configurations and its guides.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "gnuplot-nox | gnuplot")  # pictures of slipstream sweep
set(CPACK_COMPONENT_PROGRAM_DEPENDS library)

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libslipstream${SLIPSTREAM_INTERFACE})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "runtime of instruction tuning and RLHF on actors - library
${slipstream_about}
.
This package holds the shared libraries.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
# The build of OpenBLAS that shares LibTorch's threads; LibTorch itself is content with any BLAS.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS libopenblas0-openmp)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/debian/triggers)

# What dependencies.cmake finds: the -dev packages of the list that a build installs.
file(STRINGS cmake/packages.txt slipstream_listed REGEX "^[^# ]+-dev")
list(FILTER slipstream_listed EXCLUDE REGEX "^dpkg-dev")
list(TRANSFORM slipstream_listed REPLACE " *#.*" "")
list(JOIN slipstream_listed ", " slipstream_listed)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libslipstream-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${slipstream_listed}")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "runtime of instruction tuning and RLHF on actors - headers
${slipstream_about}
.
This package holds the headers, the files for CMake and pkg-config, and
examples of programs that use the library.")
set(CPACK_COMPONENT_DEVELOPMENT_DEPENDS library)

set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})  # the program's own library
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)

# What Debian wants of installed files and others do not: see cmake/debian/staged.cmake.
string(TIMESTAMP slipstream_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(cmake/debian/changelog.in debian_changelog @ONLY)
configure_file(cmake/debian/copyright.in debian_copyright @ONLY)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/debian/staged.cmake)
set(CPACK_SLIPSTREAM_BUILD ${PROJECT_BINARY_DIR})
set(CPACK_SLIPSTREAM_LIBDIR ${CMAKE_INSTALL_LIBDIR})
set(CPACK_SLIPSTREAM_LIBEXECDIR ${CMAKE_INSTALL_LIBEXECDIR})
set(CPACK_SLIPSTREAM_TORCH_FOLDER "${SLIPSTREAM_TORCH_FOLDER}")
include(CPack)

# Everything comes from the packages that cmake/packages.txt names; LibTorch, perhaps, from a Python wheel.
include(${CMAKE_CURRENT_LIST_DIR}/torch.cmake)

find_package(CAF REQUIRED COMPONENTS core io)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(Boost 1.81 REQUIRED CONFIG COMPONENTS headers)  # Asio
find_package(ZLIB REQUIRED)
find_package(zstd REQUIRED)

# These Debian packages have no CMake package, or not everywhere.
foreach(wanted "PCRE2::8bit;pcre2-8;pcre2.h" "utf8proc::utf8proc;utf8proc;utf8proc.h" "xxhash::xxhash;xxhash;xxhash.h"
        "hwy::hwy;hwy;hwy/highway.h" "sqlite3::sqlite3;sqlite3;sqlite3.h")
  list(GET wanted 0 target)
  list(GET wanted 1 library)
  list(GET wanted 2 header)
  find_library(${library}_LIBRARY ${library} REQUIRED)
  find_path(${library}_FOLDER ${header} REQUIRED)
  if(NOT TARGET ${target})
    add_library(${target} UNKNOWN IMPORTED)
    set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${${library}_LIBRARY}
                                               INTERFACE_INCLUDE_DIRECTORIES ${${library}_FOLDER})
  endif()
endforeach()

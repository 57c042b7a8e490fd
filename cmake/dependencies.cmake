# Everything comes from Debian packages (cmake/packages.txt). LibTorch is wrapped so that its flags
# stay out of our targets and its headers count as system headers.
set(SLIPSTREAM_TORCH_FOLDER "" CACHE PATH "A LibTorch folder to use as it lies there, without its CMake package")
if(SLIPSTREAM_TORCH_FOLDER)  # the CMake package of a CUDA build wants nvcc, which nothing here needs
  set(TORCH_INCLUDE_DIRS ${SLIPSTREAM_TORCH_FOLDER}/include ${SLIPSTREAM_TORCH_FOLDER}/include/torch/csrc/api/include)
  set(TORCH_LIBRARIES "-Wl,--allow-shlib-undefined")
  foreach(library c10 torch_cpu c10_cuda torch_cuda torch)
    find_library(torch_${library} ${library} PATHS ${SLIPSTREAM_TORCH_FOLDER}/lib NO_DEFAULT_PATH)
    if(torch_${library})  # backends register themselves, so no symbol of theirs asks for them
      list(APPEND TORCH_LIBRARIES "-Wl,--no-as-needed,\"${torch_${library}}\" -Wl,--as-needed")
    endif()
  endforeach()
  list(APPEND TORCH_LIBRARIES "-Wl,-rpath,\"${SLIPSTREAM_TORCH_FOLDER}/lib\"")
else()
  find_package(Torch REQUIRED)
endif()
find_package(OpenMP REQUIRED COMPONENTS CXX)  # without its flag at::parallel_for is serial, silently
if(NOT TARGET torch_libraries)                # an installed package may be found twice
  add_library(torch_libraries INTERFACE IMPORTED)
  target_link_libraries(torch_libraries INTERFACE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
  target_include_directories(torch_libraries SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
endif()

find_package(CAF REQUIRED COMPONENTS core io openssl)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(Boost 1.81 REQUIRED)  # Asio, headers only
find_package(ZLIB REQUIRED)
find_package(zstd REQUIRED)

# These Debian packages have no CMake package: PCRE2::8bit, utf8proc::utf8proc and xxhash::xxhash.
foreach(wanted "PCRE2::8bit;pcre2-8;pcre2.h" "utf8proc::utf8proc;utf8proc;utf8proc.h" "xxhash::xxhash;xxhash;xxhash.h")
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

# Ranks of a learner: c10d's Gloo on the CPU, its NCCL on GPUs. SLIPSTREAM_ABSENT names the sources that are left out:
# of each pair NAME.cpp and no_NAME.cpp in runtime/parallel/ one is compiled.
find_path(gloo_FOLDER gloo/context.h)
find_library(gloo_LIBRARY gloo)
if(gloo_FOLDER AND gloo_LIBRARY)
  if(NOT TARGET c10d_gloo)
    add_library(c10d_gloo INTERFACE IMPORTED)
    target_include_directories(c10d_gloo SYSTEM INTERFACE ${gloo_FOLDER})
    target_link_libraries(c10d_gloo INTERFACE ${gloo_LIBRARY})
  endif()
  set(SLIPSTREAM_RANKS c10d_gloo)
  set(SLIPSTREAM_ABSENT no_gloo)
else()
  set(SLIPSTREAM_ABSENT gloo)
endif()
find_path(nccl_FOLDER nccl.h)
if(torch_torch_cuda AND nccl_FOLDER)
  if(NOT TARGET c10d_nccl)
    add_library(c10d_nccl INTERFACE IMPORTED)
    target_include_directories(c10d_nccl SYSTEM INTERFACE ${nccl_FOLDER})
  endif()
  list(APPEND SLIPSTREAM_RANKS c10d_nccl)
  list(APPEND SLIPSTREAM_ABSENT no_nccl)
else()
  list(APPEND SLIPSTREAM_ABSENT nccl)
endif()

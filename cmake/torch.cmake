# LibTorch as `torch_libraries`: its flags stay out of our targets, and its headers count as system headers. Two kinds are
# known: the system's packages, and (with SLIPSTREAM_TORCH_FOLDER) the folder `torch` of a Python wheel.
set(SLIPSTREAM_TORCH_FOLDER "" CACHE PATH "The folder `torch` of a Python wheel; empty: the system's LibTorch")

# wheel_include_folder(RESULT): a folder with LibTorch's own headers alone. The wheel's has those of the libraries inside
# it as well (fmt, protobuf, ...), which would hide the system's.
function(wheel_include_folder result)
  set(folder ${CMAKE_BINARY_DIR}/torch_headers)
  file(MAKE_DIRECTORY ${folder})
  foreach(part ATen c10 caffe2 torch)
    file(CREATE_LINK ${SLIPSTREAM_TORCH_FOLDER}/include/${part} ${folder}/${part} SYMBOLIC)
  endforeach()
  set(${result} ${folder} ${folder}/torch/csrc/api/include PARENT_SCOPE)
endfunction()

if(SLIPSTREAM_TORCH_FOLDER)  # not by the wheel's CMake package: that of a CUDA build wants nvcc, which nothing here needs
  wheel_include_folder(TORCH_INCLUDE_DIRS)
  set(TORCH_LIBRARIES "-Wl,--allow-shlib-undefined")
  foreach(library c10 torch_cpu c10_cuda torch_cuda torch)
    find_library(torch_${library} ${library} PATHS ${SLIPSTREAM_TORCH_FOLDER}/lib NO_DEFAULT_PATH)
    if(torch_${library})  # backends register themselves, so no symbol of theirs asks for them
      list(APPEND TORCH_LIBRARIES "-Wl,--no-as-needed,\"${torch_${library}}\" -Wl,--as-needed")
    endif()
  endforeach()
  list(APPEND TORCH_LIBRARIES "-Wl,-rpath,\"${SLIPSTREAM_TORCH_FOLDER}/lib\"")
  # The wheel brings an OpenMP library. With the system's beside it a process would have two pools of threads.
  file(GLOB wheel_openmp ${SLIPSTREAM_TORCH_FOLDER}/lib/libgomp*.so* ${SLIPSTREAM_TORCH_FOLDER}/../torch.libs/libgomp*.so*)
  if(wheel_openmp AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(GET wheel_openmp 0 wheel_openmp)
    set(OpenMP_gomp_LIBRARY ${wheel_openmp} CACHE FILEPATH "LibTorch's own OpenMP library" FORCE)
  endif()
else()
  find_package(Torch REQUIRED)
endif()
find_package(OpenMP REQUIRED COMPONENTS CXX)  # without its flag at::parallel_for is serial, silently
if(NOT TARGET torch_libraries)                # an installed package may be found twice
  add_library(torch_libraries INTERFACE IMPORTED)
  target_link_libraries(torch_libraries INTERFACE ${TORCH_LIBRARIES} OpenMP::OpenMP_CXX)
  target_include_directories(torch_libraries SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND Torch_VERSION VERSION_LESS 2)
    # Its light headers use a list of a type that they only declare; Clang refuses that in C++20.
    target_compile_options(torch_libraries INTERFACE "SHELL:-include ATen/core/ivalue.h")
  endif()
endif()

# Ranks of a learner: c10d's Gloo on the CPU, its NCCL on GPUs. SLIPSTREAM_ABSENT names the sources that are left out:
# of each pair NAME.cpp and no_NAME.cpp in runtime/parallel/ one is compiled.
set(SLIPSTREAM_RANKS)
set(SLIPSTREAM_ABSENT)

# A wheel has a Gloo inside but not its headers, and the headers of another Gloo do not fit it.
find_path(gloo_FOLDER gloo/context.h)
find_library(gloo_LIBRARY gloo)
if(gloo_FOLDER AND gloo_LIBRARY AND NOT SLIPSTREAM_TORCH_FOLDER)
  if(NOT TARGET c10d_gloo)
    add_library(c10d_gloo INTERFACE IMPORTED)
    target_include_directories(c10d_gloo SYSTEM INTERFACE ${gloo_FOLDER})
    target_link_libraries(c10d_gloo INTERFACE ${gloo_LIBRARY})
  endif()
  list(APPEND SLIPSTREAM_RANKS c10d_gloo)
  list(APPEND SLIPSTREAM_ABSENT no_gloo)
else()
  list(APPEND SLIPSTREAM_ABSENT gloo)
endif()

# A wheel's dependencies bring the headers of CUDA and NCCL beside it: under nvidia/, and what only nvcc's package has (crt/)
# in triton.
file(GLOB nvidia_folders ${SLIPSTREAM_TORCH_FOLDER}/../nvidia/*/include)
set(nccl_FOLDERS)
set(nccl_default ON)
foreach(header nccl.h cuda_runtime_api.h nv/target crt/host_config.h)
  string(MAKE_C_IDENTIFIER "${header}_FOLDER" variable)
  find_path(${variable} ${header} HINTS ${nvidia_folders} ${SLIPSTREAM_TORCH_FOLDER}/../triton/backends/nvidia/include)
  if(${variable})
    list(APPEND nccl_FOLDERS ${${variable}})
  else()
    set(nccl_default OFF)
    set(nccl_lacks ${header})
  endif()
endforeach()
if(NOT torch_torch_cuda)
  set(nccl_default OFF)
endif()
set(SLIPSTREAM_NCCL ${nccl_default} CACHE BOOL "Connect a learner's ranks on GPUs by NCCL")
if(SLIPSTREAM_NCCL)
  if(nccl_lacks)
    message(FATAL_ERROR "SLIPSTREAM_NCCL needs ${nccl_lacks}: name its folder in CMAKE_INCLUDE_PATH")
  endif()
  if(NOT TARGET c10d_nccl)
    add_library(c10d_nccl INTERFACE IMPORTED)
    target_include_directories(c10d_nccl SYSTEM INTERFACE ${nvidia_folders} ${nccl_FOLDERS})
  endif()
  list(APPEND SLIPSTREAM_RANKS c10d_nccl)
  list(APPEND SLIPSTREAM_ABSENT no_nccl)
else()
  list(APPEND SLIPSTREAM_ABSENT nccl)
endif()

# Everything comes from Debian packages (cmake/packages.txt). LibTorch is wrapped so that its flags
# stay out of our targets and its headers count as system headers.
find_package(Torch REQUIRED)
if(NOT TARGET torch_libraries)  # an installed package may be found twice
  add_library(torch_libraries INTERFACE IMPORTED)
  target_link_libraries(torch_libraries INTERFACE ${TORCH_LIBRARIES})
  target_include_directories(torch_libraries SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
endif()

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(CAF REQUIRED COMPONENTS core)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)

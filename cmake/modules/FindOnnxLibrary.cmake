# Finds the onnx C++ library where scripts/build-onnx puts it (ONNX_DIR or
# CMAKE_PREFIX_PATH name another place) and gives the target ONNX::onnx.

set(cache "$ENV{ONNXC_CACHE_DIR}")
if(NOT cache)
  set(cache "$ENV{HOME}/.cache/onnxc")
endif()
set(recipe ${CMAKE_SOURCE_DIR}/scripts/build-onnx)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${recipe})
file(SHA256 ${recipe} key)
string(SUBSTRING ${key} 0 12 key)

# The library's own package file expects protobuf's targets to exist.
find_package(Protobuf REQUIRED)
find_package(ONNX 1.23 CONFIG HINTS ${cache}/onnx-1.23.2-${key})
if(NOT ONNX_FOUND)
  message(FATAL_ERROR "The onnx C++ library is missing: run scripts/setup")
endif()

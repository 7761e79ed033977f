# The archives that are linked into each model, for the architectures that onnxc compiles for
# beside this machine's. Each is a build of cmake/cross with the toolchain file of its name, whose
# archives end in lib/onnxc/<architecture>, where the compiler looks for them. An architecture whose
# C library is not here is left out with a message: compiling for it ends with an error.
include(ExternalProject)

set(ONNXC_CROSS_ARCHITECTURES aarch64 CACHE STRING "Architectures whose model runtime is built too")
list(REMOVE_ITEM ONNXC_CROSS_ARCHITECTURES ${CMAKE_SYSTEM_PROCESSOR})

foreach(arch ${ONNXC_CROSS_ARCHITECTURES})
  set(toolchain ${CMAKE_SOURCE_DIR}/cmake/toolchains/${arch}-linux-gnu.cmake)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang OR NOT EXISTS ${toolchain})
    message(STATUS "No model runtime for ${arch}: it is built with Clang and ${toolchain}")
    continue()
  endif()
  # A program that uses what the tests' program uses.
  file(WRITE ${CMAKE_BINARY_DIR}/CMakeFiles/cross.cpp
    "#include <math.h>\n#include <string>\nint main(int n, char **a) { return sin(n) > 2 || std::string(*a).empty(); }\n")
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} --target=${arch}-linux-gnu --ld-path=${ONNXC_LLD}
    ${CMAKE_BINARY_DIR}/CMakeFiles/cross.cpp -o ${CMAKE_BINARY_DIR}/CMakeFiles/cross -lm
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(NOT status EQUAL 0)
    message(WARNING "No model runtime for ${arch}: its C and C++ libraries are missing "
      "(scripts/setup installs them on Debian). onnxc --target=${arch}-linux-gnu will only make object files.")
    continue()
  endif()
  set(folder ${CMAKE_BINARY_DIR}/cross/${arch})
  set(targets onnxc_model onnxc_kernels onnxc_images)
  if(ONNXC_BUILD_TESTS)
    list(APPEND targets model-server onnxc-test-ops-static)
  endif()
  ExternalProject_Add(onnxc-cross-${arch}
    SOURCE_DIR ${CMAKE_SOURCE_DIR}/cmake/cross BINARY_DIR ${folder}
    PREFIX ${folder}/external
    CMAKE_ARGS -DCMAKE_TOOLCHAIN_FILE=${toolchain} -DCMAKE_BUILD_TYPE=${CMAKE_BUILD_TYPE}
      -DCMAKE_C_COMPILER=${CMAKE_C_COMPILER} -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
      -DONNXC_LINKED_FOLDER=${CMAKE_BINARY_DIR}/lib/onnxc/${arch}
      -DONNXC_ENABLE_ASSERTIONS=${ONNXC_ENABLE_ASSERTIONS}
    BUILD_COMMAND ${CMAKE_COMMAND} --build <BINARY_DIR> --target ${targets}
    BUILD_ALWAYS ON INSTALL_COMMAND "" USES_TERMINAL_BUILD ON
    BUILD_BYPRODUCTS ${CMAKE_BINARY_DIR}/lib/onnxc/${arch}/libonnxc_model.a
                     ${CMAKE_BINARY_DIR}/lib/onnxc/${arch}/libonnxc_kernels.a)
  install(FILES ${CMAKE_BINARY_DIR}/lib/onnxc/${arch}/libonnxc_model.a
                ${CMAKE_BINARY_DIR}/lib/onnxc/${arch}/libonnxc_kernels.a
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/onnxc/${arch})
  install(FILES ${CMAKE_BINARY_DIR}/lib/onnxc/${arch}/libonnxc_images.a
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/onnxc/${arch} OPTIONAL)
endforeach()

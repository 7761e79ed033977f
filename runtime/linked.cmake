# Archives that the compiler links into each model.so. They end beside onnxc's own
# library, and must not need libstdc++ or run code at load time.
include_guard()

set(ONNXC_LINKED_FOLDER ${CMAKE_BINARY_DIR}/lib/onnxc CACHE PATH "Where these archives are built")

function(add_onnxc_linked_library name)
  file(GLOB srcs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(${name} STATIC ${srcs})
  set(runtime ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  target_include_directories(${name} PUBLIC ${runtime} ${runtime}/include)
  # These flags hold whatever the build type: the code's speed is the models' speed. Sanitizers
  # would need their runtime in the process that loads the model; unit tests compile the
  # sources again with them.
  target_compile_options(${name} PRIVATE -O2 -fno-exceptions -fno-rtti -fno-threadsafe-statics
    -fvisibility=hidden -fno-math-errno -fno-sanitize=all
    # Models link no compiler runtime.
    $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},aarch64>:-mno-outline-atomics>)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON
    ARCHIVE_OUTPUT_DIRECTORY ${ONNXC_LINKED_FOLDER})
  install(TARGETS ${name} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/onnxc)
endfunction()

# Functions that declare the compiler's libraries. A library takes every .cpp
# of its folder, so a new file needs no edit here; a new folder needs only its
# own CMakeLists.txt. All of them end in libonnxc.so, which the tools link.

set(ONNXC_COMPILER_INCLUDES
  ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include ${CMAKE_SOURCE_DIR}/runtime/include)
set_property(GLOBAL PROPERTY ONNXC_LIBS "")

# One precompiled header for all code that is compiled without exceptions. It
# holds only system headers; its .sum file lets ccache share objects between
# checkouts although the header itself records its path.
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type_upper)
separate_arguments(pch_flags UNIX_COMMAND
  "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type_upper}}")
if(ONNXC_SANITIZE)
  list(APPEND pch_flags -fsanitize=${ONNXC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
endif()
set(ONNXC_PCH ${CMAKE_BINARY_DIR}/pch/mlir.pch)
set(ONNXC_PCH_SOURCE ${CMAKE_SOURCE_DIR}/cmake/pch.h)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/pch)
file(SHA256 ${ONNXC_PCH_SOURCE} pch_sum)
file(WRITE ${ONNXC_PCH}.sum "${pch_sum} ${CMAKE_CXX_COMPILER_VERSION} ${LLVM_PACKAGE_VERSION} ${pch_flags}")
add_custom_command(OUTPUT ${ONNXC_PCH}
  COMMAND ${CMAKE_CXX_COMPILER} -std=c++20 ${pch_flags} -fPIC -fno-exceptions
          -ffunction-sections -fdata-sections -fvisibility-inlines-hidden
          -I${LLVM_INCLUDE_DIR} -D_GNU_SOURCE -D__STDC_CONSTANT_MACROS -D__STDC_FORMAT_MACROS
          -D__STDC_LIMIT_MACROS -w -Xclang -fno-pch-timestamp
          -x c++-header ${ONNXC_PCH_SOURCE} -o ${ONNXC_PCH}
  DEPENDS ${ONNXC_PCH_SOURCE}
  COMMENT "Precompiling MLIR's headers" VERBATIM)
add_custom_target(onnxc-pch DEPENDS ${ONNXC_PCH})

function(onnxc_compiler_target name)
  cmake_parse_arguments(ARG "EXCEPTIONS;NO_PCH" "" "" ${ARGN})
  target_include_directories(${name} PRIVATE ${ONNXC_COMPILER_INCLUDES})
  target_include_directories(${name} SYSTEM PRIVATE ${LLVM_INCLUDE_DIR})
  target_compile_definitions(${name} PRIVATE _GNU_SOURCE __STDC_CONSTANT_MACROS
    __STDC_FORMAT_MACROS __STDC_LIMIT_MACROS)
  add_dependencies(${name} onnxc-headers)
  if(ARG_EXCEPTIONS)
    target_compile_options(${name} PRIVATE -fexceptions)
  else()
    target_compile_options(${name} PRIVATE -fno-exceptions)
    if(NOT ARG_NO_PCH AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
      add_dependencies(${name} onnxc-pch)
      # Executables too are compiled as the precompiled header is.
      set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${name} PRIVATE -fPIC)
      target_compile_options(${name} PRIVATE
        "SHELL:-Xclang -include-pch -Xclang ${ONNXC_PCH}" -Xclang -fno-pch-timestamp)
      file(GLOB srcs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
      set_source_files_properties(${srcs} PROPERTIES OBJECT_DEPENDS ${ONNXC_PCH})
    endif()
  endif()
endfunction()

# add_onnxc_library(<name> [EXCEPTIONS] [SOURCES extra...])
# EXCEPTIONS is for code that calls the onnx library (which throws); such code
# catches everything at its own public functions.
function(add_onnxc_library name)
  cmake_parse_arguments(ARG "EXCEPTIONS" "" "SOURCES" ${ARGN})
  file(GLOB srcs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(APPEND srcs ${ARG_SOURCES})
  if(NOT srcs)
    return()
  endif()
  add_library(${name} OBJECT ${srcs})
  if(ARG_EXCEPTIONS)
    onnxc_compiler_target(${name} EXCEPTIONS)
    target_link_libraries(${name} PRIVATE ONNX::onnx)
  else()
    onnxc_compiler_target(${name})
  endif()
  set_property(GLOBAL APPEND PROPERTY ONNXC_LIBS ${name})
endfunction()

# add_onnxc_tool(<name>): an executable over libonnxc.so from the folder's files.
function(add_onnxc_tool name)
  file(GLOB srcs CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_executable(${name} ${srcs})
  onnxc_compiler_target(${name})
  target_link_libraries(${name} PRIVATE onnxc-compiler ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# onnxc_tablegen(<td> <out> <mlir-tblgen args>...): an .inc below build/include,
# beside the header that includes it.
function(onnxc_tablegen td out)
  set(LLVM_TARGET_DEFINITIONS ${td})
  mlir_tablegen(${out} ${ARGN} -I${LLVM_INCLUDE_DIR} -I${CMAKE_SOURCE_DIR}/include -I${CMAKE_BINARY_DIR}/include)
  onnxc_generated_header(${CMAKE_CURRENT_BINARY_DIR}/${out})
endfunction()

# Makes every library wait for a file that a rule of this folder generates.
function(onnxc_generated_header file)
  file(RELATIVE_PATH target ${CMAKE_BINARY_DIR} ${file})
  string(REPLACE "/" "-" target ${target})
  add_custom_target(${target} DEPENDS ${file})
  set_property(GLOBAL APPEND PROPERTY ONNXC_GENERATED ${target})
endfunction()

# onnxc_document(<td> <page> <mlir-tblgen args>...): a page of the reference, made
# by the target onnxc-docs in build/docs.
add_custom_target(onnxc-docs)
function(onnxc_document td page)
  if(NOT IS_ABSOLUTE ${td})
    set(td ${CMAKE_CURRENT_SOURCE_DIR}/${td})
  endif()
  set(out ${CMAKE_BINARY_DIR}/docs/${page})
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/docs
    COMMAND ${MLIR_TABLEGEN_EXE} ${ARGN} -I${LLVM_INCLUDE_DIR} -I${CMAKE_SOURCE_DIR}/include
            -I${CMAKE_BINARY_DIR}/include ${td} -o ${out}
    DEPENDS ${td} VERBATIM)
  string(REPLACE "." "-" target onnxc-docs-${page})
  add_custom_target(${target} DEPENDS ${out})
  add_dependencies(onnxc-docs ${target})
endfunction()

# Compiler, linker, cache and warning settings shared by every target.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(ONNXC_CCACHE ccache)
if(ONNXC_CCACHE)
  # Objects are shared between checkouts: paths below the source folder are
  # hashed relative to it, and the precompiled header by its .sum file.
  set(launcher ${CMAKE_COMMAND} -E env
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${ONNXC_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

# Debian's LLVM is built without assertions; ours stay on unless asked.
if(ONNXC_ENABLE_ASSERTIONS)
  foreach(lang C CXX)
    string(REPLACE "-DNDEBUG" "" CMAKE_${lang}_FLAGS_RELEASE "${CMAKE_${lang}_FLAGS_RELEASE}")
    string(REPLACE "-DNDEBUG" "" CMAKE_${lang}_FLAGS_RELWITHDEBINFO "${CMAKE_${lang}_FLAGS_RELWITHDEBINFO}")
  endforeach()
endif()

add_compile_options(-Wall -Wextra -Wno-unused-parameter
                    $<$<CXX_COMPILER_ID:Clang>:-Wno-ambiguous-reversed-operator>
                    -ffunction-sections -fdata-sections
                    $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden>)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  find_program(ONNXC_LLD NAMES ld.lld-22 ld.lld)
  if(ONNXC_LLD)
    add_link_options(--ld-path=${ONNXC_LLD})
  endif()
  add_link_options(-Wl,--gc-sections)
endif()

if(ONNXC_SANITIZE)
  add_compile_options(-fsanitize=${ONNXC_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${ONNXC_SANITIZE})
endif()

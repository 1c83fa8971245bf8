# How this project is compiled, for all of its targets.
#
# karma_build_flags carries the warnings and reaches our own targets only. What changes the ABI or the run time
# (sanitizers) is set for the whole directory, fetched dependencies included.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  find_program(KARMA_CCACHE ccache)
  if(KARMA_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${KARMA_CCACHE}")
  endif()
endif()

add_library(karma_build_flags INTERFACE)
target_compile_options(karma_build_flags INTERFACE
                       -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi
                       $<$<BOOL:${KARMA_WARNINGS_AS_ERRORS}>:-Werror>)

if(KARMA_SANITIZE)
  add_compile_options(-fsanitize=${KARMA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${KARMA_SANITIZE})
  if(KARMA_SANITIZE MATCHES "undefined")
    # This check opens a pipe to see whether memory is readable, and takes a process without free descriptors, which a
    # test makes, for one with a wrong object.
    add_compile_options(-fno-sanitize=vptr)
  endif()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()

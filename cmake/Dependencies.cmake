# What the program is made with, and what its tests and benchmarks need beside that.
#
# An installed package wins; where there is none, the pinned release is fetched. scripts/install_dependencies installs
# the packages on Debian and its relatives, so that nothing is fetched there. Without network (-D
# FETCHCONTENT_FULLY_DISCONNECTED=ON) a missing package is named at once.
include(FetchContent)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

# karma_dependency(<name> PACKAGE <Debian package> FIND <arguments of find_package...> FETCH <where it is fetched from...>)
function(karma_dependency name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PACKAGE" "FIND;FETCH")
  if(FETCHCONTENT_FULLY_DISCONNECTED)
    find_package(${arg_FIND} QUIET GLOBAL)
    list(GET arg_FIND 0 package)
    if(NOT ${package}_FOUND)
      message(FATAL_ERROR "${name} is missing. On Debian: apt-get install ${arg_PACKAGE}")
    endif()
    return()
  endif()
  list(POP_FRONT arg_FIND package)
  string(TOLOWER "${package}" content)
  FetchContent_Declare(${content} ${arg_FETCH} FIND_PACKAGE_ARGS ${arg_FIND} NAMES ${package} GLOBAL)
  FetchContent_MakeAvailable(${content})
endfunction()

karma_dependency(CLI11 PACKAGE libcli11-dev FIND CLI11 2.1
                 FETCH GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git  # 2.4.2
                       GIT_TAG 6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9)

karma_dependency(nlohmann_json PACKAGE nlohmann-json3-dev FIND nlohmann_json 3.11
                 FETCH URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
                       URL_HASH SHA256=d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d)

# Header-only, so that the binary does not depend on the release of a distribution's library; a package of spdlog that
# leaves {fmt} out needs that one's headers in addition.
karma_dependency(spdlog PACKAGE libspdlog-dev FIND spdlog 1.10
                 FETCH GIT_REPOSITORY https://github.com/gabime/spdlog.git  # 1.14.1
                       GIT_TAG 27cb4c76708608465c413f6d0e6b8d99a4d84302)
add_library(karma_spdlog INTERFACE)
target_include_directories(karma_spdlog SYSTEM INTERFACE
                           $<TARGET_PROPERTY:spdlog::spdlog_header_only,INTERFACE_INCLUDE_DIRECTORIES>)
target_compile_definitions(karma_spdlog INTERFACE
                           $<TARGET_PROPERTY:spdlog::spdlog_header_only,INTERFACE_COMPILE_DEFINITIONS>)
target_link_libraries(karma_spdlog INTERFACE Threads::Threads $<TARGET_NAME_IF_EXISTS:fmt::fmt-header-only>)

# Asio, from the headers of Boost alone: what of it is no template is compiled once, in src/server/asio.cpp.
find_package(Boost 1.74 CONFIG QUIET)
if(NOT Boost_FOUND)
  message(FATAL_ERROR "Boost is missing. On Debian: apt-get install libboost-dev")
endif()
add_library(karma_asio INTERFACE)
target_include_directories(karma_asio SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_link_libraries(karma_asio INTERFACE Threads::Threads)
target_compile_definitions(karma_asio INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
if(KARMA_SANITIZE STREQUAL "thread")
  # The thread sanitizer knows no fences; without them Asio takes its locks for the same order.
  target_compile_definitions(karma_asio INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()

# libcrypto, ISA-L, zlib, zstd and libedit come with every distribution, as Boost does, and are not built here.
find_package(OpenSSL 3.0 QUIET COMPONENTS Crypto)
if(NOT OPENSSL_FOUND)
  message(FATAL_ERROR "libcrypto is missing. On Debian: apt-get install libssl-dev")
endif()
find_library(KARMA_ISAL isal)
find_path(KARMA_ISAL_INCLUDE isa-l/crc.h)
if(NOT KARMA_ISAL OR NOT KARMA_ISAL_INCLUDE)
  message(FATAL_ERROR "ISA-L is missing. On Debian: apt-get install libisal-dev")
endif()
add_library(karma_isal INTERFACE)
target_link_libraries(karma_isal INTERFACE "${KARMA_ISAL}")
target_include_directories(karma_isal SYSTEM INTERFACE "${KARMA_ISAL_INCLUDE}")
find_package(ZLIB QUIET)
if(NOT ZLIB_FOUND)
  message(FATAL_ERROR "zlib is missing. On Debian: apt-get install zlib1g-dev")
endif()
find_library(KARMA_ZSTD zstd)
find_path(KARMA_ZSTD_INCLUDE zstd.h)
if(NOT KARMA_ZSTD OR NOT KARMA_ZSTD_INCLUDE)
  message(FATAL_ERROR "zstd is missing. On Debian: apt-get install libzstd-dev")
endif()
add_library(karma_zstd INTERFACE)
target_link_libraries(karma_zstd INTERFACE "${KARMA_ZSTD}")
target_include_directories(karma_zstd SYSTEM INTERFACE "${KARMA_ZSTD_INCLUDE}")

# The prompt of karma cli. BSD licence, as readline is not.
find_library(KARMA_EDIT edit)
find_path(KARMA_EDIT_INCLUDE histedit.h)
if(NOT KARMA_EDIT OR NOT KARMA_EDIT_INCLUDE)
  message(FATAL_ERROR "libedit is missing. On Debian: apt-get install libedit-dev")
endif()
add_library(karma_edit INTERFACE)
target_link_libraries(karma_edit INTERFACE "${KARMA_EDIT}")
target_include_directories(karma_edit SYSTEM INTERFACE "${KARMA_EDIT_INCLUDE}")

if(KARMA_BUILD_TESTS)
  set(INSTALL_GTEST OFF CACHE INTERNAL "")
  karma_dependency(GoogleTest PACKAGE libgtest-dev FIND GTest 1.12
                   FETCH GIT_REPOSITORY https://github.com/google/googletest.git  # 1.14.0
                         GIT_TAG f8d7d77c06936315286eb55f8de22cd23c188571)
endif()

if(KARMA_BUILD_BENCH)
  set(BENCHMARK_ENABLE_TESTING OFF CACHE INTERNAL "")
  set(BENCHMARK_ENABLE_INSTALL OFF CACHE INTERNAL "")
  karma_dependency("Google Benchmark" PACKAGE libbenchmark-dev FIND benchmark 1.7
                   FETCH GIT_REPOSITORY https://github.com/google/benchmark.git  # 1.8.3
                         GIT_TAG 344117638c8ff7e239044fd0fa7085839fc03021)
endif()

# What the program is made with, and what its tests and benchmarks need beside that.
#
# An installed package wins; where there is none, the pinned release is fetched. scripts/install_dependencies installs
# the packages on Debian and its relatives, so that nothing is fetched there.
include(FetchContent)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

FetchContent_Declare(CLI11  # 2.4.2
  GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git
  GIT_TAG 6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9
  FIND_PACKAGE_ARGS 2.1)
FetchContent_MakeAvailable(CLI11)

if(KARMA_BUILD_TESTS OR KARMA_BUILD_FUZZ)
  FetchContent_Declare(nlohmann_json
    URL https://github.com/nlohmann/json/releases/download/v3.11.3/json.tar.xz
    URL_HASH SHA256=d6c65aca6b1ed68e7a182f4757257b107ae403032760ed6ef121c9d55e81757d
    FIND_PACKAGE_ARGS 3.11)
  FetchContent_MakeAvailable(nlohmann_json)
endif()

if(KARMA_BUILD_TESTS)
  FetchContent_Declare(googletest  # 1.14.0
    GIT_REPOSITORY https://github.com/google/googletest.git
    GIT_TAG f8d7d77c06936315286eb55f8de22cd23c188571
    FIND_PACKAGE_ARGS 1.12 NAMES GTest)
  set(INSTALL_GTEST OFF CACHE INTERNAL "")
  FetchContent_MakeAvailable(googletest)
endif()

if(KARMA_BUILD_BENCH)
  FetchContent_Declare(googlebenchmark  # 1.8.3
    GIT_REPOSITORY https://github.com/google/benchmark.git
    GIT_TAG 344117638c8ff7e239044fd0fa7085839fc03021
    FIND_PACKAGE_ARGS 1.7 NAMES benchmark)
  set(BENCHMARK_ENABLE_TESTING OFF CACHE INTERNAL "")
  set(BENCHMARK_ENABLE_INSTALL OFF CACHE INTERNAL "")
  FetchContent_MakeAvailable(googlebenchmark)
endif()

// karma_speed: does one operation of a node many times, for scripts/check_speed to count its instructions.
#if __has_include(<gnu/libc-version.h>)
#include <gnu/libc-version.h>
#endif
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "speed_operations.h"

namespace karma::speed {
namespace {

constexpr const char* kUsage = R"(Usage: karma_speed option...

Does an operation of a node many times in this process, on input that is the same in every run, so that its
instructions can be counted: scripts/check_speed does.

  --prepare=DIRECTORY   write the data that the operations find; must be done before, once
  --directory=DIRECTORY where the data is; an operation may change it
  --op=NAME             do this operation
  --count=N             so many times
  --list                tell the operations, each with two counts and its meaning: the difference of what they cost
                        is the cost of the operation alone
  --platform            tell what the figures depend on besides the code: the compiler, the C library and those
                        abilities of the processor by which code is chosen at run time
)";

[[noreturn]] void misuse(const std::string& message) {
  std::fprintf(stderr, "karma_speed: %s; --help lists the options\n", message.c_str());
  std::exit(2);
}

void list() {
  for (const Operation& operation : operations()) {
    const std::string line = std::string(operation.name) + " " + std::to_string(operation.few * operation.per_call) +
                             " " + std::to_string(operation.many * operation.per_call) + " " +
                             std::string(operation.what) + "\n";
    std::fputs(line.c_str(), stdout);
  }
}

std::string compiler() {
#ifdef __clang__
  return __VERSION__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string processor() {
#ifdef __x86_64__
  std::string abilities = "x86-64";
  const auto add = [&](const char* name, int supported) {
    if (supported) abilities += std::string(" ") + name;
  };
  __builtin_cpu_init();
  add("sse4.2", __builtin_cpu_supports("sse4.2"));
  add("popcnt", __builtin_cpu_supports("popcnt"));
  add("avx", __builtin_cpu_supports("avx"));
  add("avx2", __builtin_cpu_supports("avx2"));
  add("bmi2", __builtin_cpu_supports("bmi2"));
  add("pclmul", __builtin_cpu_supports("pclmul"));
  add("avx512f", __builtin_cpu_supports("avx512f"));
  add("avx512bw", __builtin_cpu_supports("avx512bw"));
  // GCC 12 knows no "sha" in __builtin_cpu_supports.
  unsigned a = 0, b = 0, c = 0, d = 0;
  add("sha", __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 29 & 1) != 0);
  return abilities;
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "another processor";
#endif
}

std::string library() {
#ifdef __GLIBC__
  return std::string("glibc ") + ::gnu_get_libc_version();
#else
  return "another C library";
#endif
}

void platform() {
  std::printf("compiler: %s\nlibrary: %s\nprocessor: %s\n", compiler().c_str(), library().c_str(), processor().c_str());
}

const Operation& find(std::string_view name) {
  for (const Operation& operation : operations()) {
    if (operation.name == name) return operation;
  }
  misuse("there is no operation " + std::string(name));
}

std::uint64_t parse_count(std::string_view text) {
  std::uint64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc() || end != text.data() + text.size()) misuse("--count must be a number");
  return count;
}

int main_with(int argc, char** argv) {
  std::string directory;
  std::string_view name;
  std::string_view count;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string_view option = argument.substr(0, equals);
    const std::string_view value = equals == argument.npos ? std::string_view() : argument.substr(equals + 1);
    if (argument == "--help") return std::fputs(kUsage, stdout), 0;
    if (argument == "--list") return list(), 0;
    if (argument == "--platform") return platform(), 0;
    if (value.empty()) misuse("what does " + std::string(argument) + " mean");
    if (option == "--prepare") return prepare(std::string(value)), 0;
    if (option == "--directory") {
      directory = value;
    } else if (option == "--op") {
      name = value;
    } else if (option == "--count") {
      count = value;
    } else {
      misuse("there is no option " + std::string(option));
    }
  }
  if (directory.empty() || name.empty() || count.empty()) misuse("--directory, --op and --count are needed");
  run(find(name), directory, parse_count(count));
  return 0;
}

}  // namespace
}  // namespace karma::speed

int main(int argc, char** argv) { return karma::speed::main_with(argc, argv); }

# Writes a file for ctest with one test for each suite of a GoogleTest program; run with -P after the program is linked.
#
#   BINARY   the program
#   OUTPUT   the file to write
#
# One test for each TEST, as gtest_discover_tests() makes them, would start the program a thousand times, and with
# sanitizers the start takes longer than most tests.
execute_process(COMMAND "${BINARY}" --gtest_list_tests OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
# "Suite." or "Instance/Suite.  # TypeParam = ..." at the beginning of a line; the tests of a suite are indented.
string(REGEX MATCHALL "\n[A-Za-z0-9_/]+\\." suites "\n${listing}")

set(text "")
foreach(suite IN LISTS suites)
  string(REGEX REPLACE "[\n.]" "" suite "${suite}")
  string(APPEND text "add_test([=[${suite}]=] [=[${BINARY}]=] [=[--gtest_filter=${suite}.*]=] --gtest_brief=1)\n"
                     "set_tests_properties([=[${suite}]=] PROPERTIES TIMEOUT 600)\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")

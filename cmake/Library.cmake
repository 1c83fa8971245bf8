# `cmake --install` for programs that embed Karma: the headers, the library, and what find_package(karma) needs. See
# examples/embed.
include(CMakePackageConfigHelpers)
set(karma_package "${CMAKE_INSTALL_LIBDIR}/cmake/karma")

set_target_properties(karma_core PROPERTIES EXPORT_NAME core OUTPUT_NAME karma)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/karma" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(TARGETS karma_core EXPORT karma ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT karma NAMESPACE karma:: FILE karmaTargets.cmake DESTINATION "${karma_package}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/karmaConfig.cmake.in"
                              "${CMAKE_CURRENT_BINARY_DIR}/karmaConfig.cmake" INSTALL_DESTINATION "${karma_package}")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/karmaConfigVersion.cmake" COMPATIBILITY SameMajorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/karmaConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/karmaConfigVersion.cmake"
        DESTINATION "${karma_package}")

# The Debian package, by CPack: cpack -G DEB in the build directory (scripts/package does all of it). Elsewhere `cmake
# --install` puts the same files in place.
set(karma_manual "${CMAKE_CURRENT_BINARY_DIR}/karma.1.gz")
set(karma_changelog "${CMAKE_CURRENT_BINARY_DIR}/changelog.gz")
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_custom_command(
  OUTPUT "${karma_manual}"
  COMMAND sh -c "'${Python3_EXECUTABLE}' '${PROJECT_SOURCE_DIR}/packaging/man_page' '$<TARGET_FILE:karma>' | gzip -9n > '${karma_manual}'"
  DEPENDS karma "${PROJECT_SOURCE_DIR}/packaging/man_page"
  VERBATIM)
configure_file("${PROJECT_SOURCE_DIR}/packaging/debian/changelog.in" "${CMAKE_CURRENT_BINARY_DIR}/changelog" @ONLY)
add_custom_command(
  OUTPUT "${karma_changelog}"
  COMMAND sh -c "gzip -9nc '${CMAKE_CURRENT_BINARY_DIR}/changelog' > '${karma_changelog}'"
  DEPENDS "${CMAKE_CURRENT_BINARY_DIR}/changelog"
  VERBATIM)
add_custom_target(package_files DEPENDS "${karma_manual}" "${karma_changelog}")

set(packaging "${PROJECT_SOURCE_DIR}/packaging")
set(component COMPONENT package EXCLUDE_FROM_ALL)
install(TARGETS karma RUNTIME DESTINATION /usr/bin ${component})
install(FILES "${karma_manual}" DESTINATION /usr/share/man/man1 ${component})
install(FILES "${karma_changelog}" DESTINATION /usr/share/doc/karma ${component})
install(FILES "${packaging}/debian/copyright" DESTINATION /usr/share/doc/karma ${component})
install(FILES "${packaging}/karma.toml" DESTINATION /etc/karma ${component})
install(FILES "${packaging}/systemd/karma.service" DESTINATION /usr/lib/systemd/system ${component})
install(FILES "${packaging}/systemd/karma.sysusers" DESTINATION /usr/lib/sysusers.d RENAME karma.conf ${component})
install(FILES "${packaging}/systemd/karma.tmpfiles" DESTINATION /usr/lib/tmpfiles.d RENAME karma.conf ${component})
install(FILES "${packaging}/completion/karma.bash" DESTINATION /usr/share/bash-completion/completions RENAME karma
        ${component})
install(FILES "${packaging}/completion/_karma" DESTINATION /usr/share/zsh/vendor-completions ${component})
install(FILES "${packaging}/completion/karma.fish" DESTINATION /usr/share/fish/vendor_completions.d ${component})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME karma)
set(CPACK_PACKAGE_VENDOR "Karma contributors")
set(CPACK_PACKAGE_CONTACT "Karma contributors <maintainers@karma-db.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "database of counters behind a TCP port")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Karma keeps counters by key and day in memory, exact over crashes by a log and
snapshots, and answers sums of a thousand of them in one request. It speaks
JSON lines, and replicates from a master to any number of slaves.")
set(CPACK_COMPONENTS_ALL package)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_SET_DESTDIR OFF)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_NAME karma)
set(CPACK_DEBIAN_PACKAGE_PACKAGE_NAME karma)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.51)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${packaging}/debian/conffiles;${packaging}/debian/postinst;${packaging}/debian/prerm;${packaging}/debian/postrm")
include(CPack)

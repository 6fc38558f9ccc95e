# Installs the headers, the CMake package and the file of pkg-config. CMakeLists.txt includes this where XMASK_INSTALL is
# on.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cppm")

# No installed file depends on the architecture of the machine.
set(package_folder ${CMAKE_INSTALL_DATADIR}/cmake/xmask)
install(TARGETS xmask EXPORT xmaskTargets INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT xmaskTargets NAMESPACE xmask:: DESTINATION ${package_folder})

# While the major version is 0, a new minor version may be incompatible.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/xmaskConfigVersion.cmake
  COMPATIBILITY ${compatibility}
  ARCH_INDEPENDENT)
configure_package_config_file(cmake/xmaskConfig.cmake.in ${PROJECT_BINARY_DIR}/xmaskConfig.cmake
                              INSTALL_DESTINATION ${package_folder})
install(FILES ${PROJECT_BINARY_DIR}/xmaskConfig.cmake ${PROJECT_BINARY_DIR}/xmaskConfigVersion.cmake
        DESTINATION ${package_folder})
install(FILES cmake/layers.cmake DESTINATION ${package_folder} RENAME xmaskLayers.cmake)

# The prefix is relative to the .pc file, so that an installed tree can be moved.
set(pkgconfig_folder ${CMAKE_INSTALL_DATADIR}/pkgconfig)
file(RELATIVE_PATH pkgconfig_prefix "/prefix/${pkgconfig_folder}" "/prefix")
string(REGEX REPLACE "/$" "" pkgconfig_prefix "${pkgconfig_prefix}")
configure_file(cmake/xmask.pc.in ${PROJECT_BINARY_DIR}/xmask.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/xmask.pc DESTINATION ${pkgconfig_folder})

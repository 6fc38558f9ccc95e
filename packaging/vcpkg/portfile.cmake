# A port for vcpkg, which takes the checkout that it stands in. UNTESTED: no vcpkg was at hand.
#
#     vcpkg install xmask --overlay-ports=<checkout>/packaging/vcpkg

get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DXMASK_BUILD_TESTS=OFF -DXMASK_BUILD_EXAMPLES=OFF -DXMASK_BUILD_BENCH=OFF -DXMASK_LAYERS=OFF
          -DXMASK_FETCH_DEPENDENCIES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/xmask)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")

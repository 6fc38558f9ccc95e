# A recipe for Conan 2. UNTESTED: no Conan was at hand. Copy it to the root of a checkout, and `conan create .`

from conan import ConanFile
from conan.tools.files import copy
from conan.tools.layout import basic_layout


class Xmask(ConanFile):
    name = "xmask"
    version = "0.1.0"
    description = "Masks, and masked and segmented operations, for xtensor"
    license = "BSD-3-Clause"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    exports_sources = "include/*", "LICENSE"
    no_copy_source = True

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("xtensor/[>=0.25]", transitive_headers=True)
        self.requires("xsimd/[>=13]", transitive_headers=True)

    def package_id(self):
        self.info.clear()

    def package(self):
        copy(self, "LICENSE", self.source_folder, self.package_folder + "/licenses")
        copy(self, "*.hpp", self.source_folder + "/include", self.package_folder + "/include")

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []

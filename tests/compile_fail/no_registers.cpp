// The error names a target without registers.
// expect: xmask needs SIMD registers
// flags: -DXSIMD_NO_SUPPORTED_ARCHITECTURE

#include <xmask/xmask.hpp>

int main() { return static_cast<int>(xmask::keep_all(2).size()) - 2; }

// The error names an old xsimd.
// expect: xmask needs xsimd 13 or later
// flags: -I@old_xsimd

#include <xmask/xmask.hpp>

int main() { return static_cast<int>(xmask::keep_all(2).size()) - 2; }

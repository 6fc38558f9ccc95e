// The error names an old xtensor.
// expect: xmask needs xtensor 0.25 or later
// flags: -I@old_xtensor

#include <xmask/xmask.hpp>

int main() { return static_cast<int>(xmask::keep_all(2).size()) - 2; }

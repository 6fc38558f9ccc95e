// Printing needs a header of its own.
// expect: xmask: to print a mask, include <xmask/masks/text.hpp>
// lines: 10

#include <iostream>

#include <xmask/masks/lengths.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    std::cout << m.size();
#else
    std::cout << m;
#endif
    return 0;
}

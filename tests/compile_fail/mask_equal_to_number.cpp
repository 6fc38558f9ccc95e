// A mask is not compared with a number.
// expect: xmask: a mask is not compared with a number. !m is its opposite

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const bool equal = m == !m;
#else
    const bool equal = m == 1;
#endif
    return equal ? 1 : 0;
}

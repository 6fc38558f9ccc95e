// Lengths in braces are integers, too.
// expect: xmask: lengths are integers, one a row

#include <xmask/xmask.hpp>

int main() {
#ifdef XMASK_COMPILE_OK
    auto m = xmask::keep_lengths({2, 3}, 4);
#else
    auto m = xmask::keep_lengths({2.0, 3.0}, 4);
#endif
    return m.size() == 8 ? 0 : 1;
}

// The opposite of a mask is !m.
// expect: xmask: a mask is not a number: xmask::multiply(x, m) and xmask::masked_fill(x, m, v) change what m drops

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto dropped = !m;
#else
    const auto dropped = 1 - m;
#endif
    return dropped.size() == 6 ? 0 : 1;
}

// A mask is not added to another.
// expect: xmask: a mask is not a number: xmask::multiply(x, m) and xmask::masked_fill(x, m, v) change what m drops

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
#ifdef XMASK_COMPILE_OK
    const auto either = m || m;
#else
    auto& either = m += m;
#endif
    return either.size() == 6 ? 0 : 1;
}

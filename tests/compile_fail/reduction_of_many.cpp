// Too many arguments, however many, are no call.
// expect: xmask: a reduction takes a tensor, a mask, and, if any, axes and options

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
#ifdef XMASK_COMPILE_OK
    return xmask::masked_sum(x, xmask::keep_all(2)) == 3.0f ? 0 : 1;
#else
    xmask::masked_sum(x, xmask::keep_all(2), 0, 1, 2, 3, 4, 5, 6);
    return 0;
#endif
}

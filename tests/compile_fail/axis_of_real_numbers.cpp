// An axis is an integer.
// expect: xmask: a reduction takes a tensor, a mask, and, if any, axes and options

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 2> x = {{1, 2, 3}};
    auto m = xmask::keep_lengths({2}, 3);
#ifdef XMASK_COMPILE_OK
    auto mean = xmask::masked_mean(x, m, 1);
#else
    auto mean = xmask::masked_mean(x, m, 1.0);
#endif
    return mean.size() == 1 ? 0 : 1;
}

// A quantile has one share.
// expect: xmask: a reduction takes a tensor, a mask, and, if any, axes and options

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2, 3}};
    const auto m = xmask::keep_lengths({2}, 3);
#ifdef XMASK_COMPILE_OK
    const float quantile = xmask::masked_quantile(x, m, 0.5);
#else
    const float quantile = xmask::masked_quantile(x, m, {0.5, 0.9});
#endif
    return quantile > 0 ? 0 : 1;
}

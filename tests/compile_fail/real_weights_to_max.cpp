// A maximum, a median and a norm take no weights.
// expect: Real weights go with what multiplies

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<float, 1> weights = {0.5f, 0.0f};
#ifdef XMASK_COMPILE_OK
    const float largest = xmask::masked_max(x, xmask::keep_not_equal(weights, 0));
    return largest == 1.0f && xmask::masked_mean(x, weights) == 1.0f ? 0 : 1;
#else
    xmask::masked_max(x, weights);
    return 0;
#endif
}

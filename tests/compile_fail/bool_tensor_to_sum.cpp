// A boolean tensor does not say what true means: sums take masks and real weights.
// expect: a mask, or a tensor of real weights, is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<bool, 1> b = {true, false};
#ifdef XMASK_COMPILE_OK
    const float sum = xmask::masked_sum(x, xmask::keep_where(b));
    return sum == 1.0f ? 0 : 1;
#else
    xmask::masked_sum(x, b);
    return 0;
#endif
}

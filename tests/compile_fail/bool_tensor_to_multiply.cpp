// A boolean tensor does not say what true means: multiply takes masks and real weights.
// expect: a mask, or a tensor of real weights, is expected here

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<bool, 1> b = {true, false};
#ifdef XMASK_COMPILE_OK
    const xt::xtensor<float, 1> y = xmask::multiply(x, xmask::keep_where(b));
#else
    const xt::xtensor<float, 1> y = xmask::multiply(x, b);
#endif
    return y(1) == 0.0f ? 0 : 1;
}

// Booleans in the place of weights do not say what true means.
// expect: weights are a tensor (or lazy expression) of real numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<bool, 1> b = {true, false};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_mse(x, x, xmask::weighted(m, x));
#else
    const xmask::loss l = xmask::masked_mse(x, x, xmask::weighted(m, b));
#endif
    return l.sum == 0.0 ? 0 : 1;
}

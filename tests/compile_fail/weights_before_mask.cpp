// The mask comes before the weights.
// expect: xmask: a mask is expected here. Real weights go with what multiplies

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_mse(x, x, xmask::weighted(m, x));
#else
    const xmask::loss l = xmask::masked_mse(x, x, xmask::weighted(x, m));
#endif
    return l.sum == 0.0 ? 0 : 1;
}

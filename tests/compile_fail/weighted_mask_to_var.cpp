// A variance takes no weights, as there are several definitions.
// expect: Real weights go with what multiplies

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const xt::xtensor<float, 1> weights = {0.5f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    return xmask::masked_sum(x, xmask::weighted(m, weights)) == 4.5f &&
                   xmask::masked_var(x, m) > 0.0f
               ? 0
               : 1;
#else
    xmask::masked_var(x, xmask::weighted(m, weights));
    return 0;
#endif
}

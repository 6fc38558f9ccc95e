// The upstream gradient comes before the axes.
// expect: a gradient takes the tensor, the mask, the upstream gradient

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1, 2}, {3, 4}};
    const xt::xtensor<float, 1> up = {1, 2};
    const auto m = xmask::keep_all({2, 2});
#ifdef XMASK_COMPILE_OK
    const auto gradient = xmask::masked_sum_gradient(x, m, up, 1);
    return gradient(0, 0) > 0 ? 0 : 1;
#else
    xmask::masked_sum_gradient(x, m, 1, up);
    return 0;
#endif
}

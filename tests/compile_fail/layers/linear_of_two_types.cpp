// A matrix product takes one type of number.
// expect: a linear layer takes x, weight and bias, then the mask

#include <xmask/xmask.hpp>

#include <xmask/layers.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}};
    const xt::xtensor<double, 2> weight = {{1.0, 2.0}};
    const xt::xtensor<float, 1> bias = {0.0f};
    const auto m = xmask::keep_all({1, 2});
#ifdef XMASK_COMPILE_OK
    return xmask::masked_linear(x, x, bias, m).size() == 1 ? 0 : 1;
#else
    xmask::masked_linear(x, weight, bias, m);
    return 0;
#endif
}

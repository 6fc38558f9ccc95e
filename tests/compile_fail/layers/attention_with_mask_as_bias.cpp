// A mask is not a bias: it comes after the value.
// expect: attention adds a tensor (or lazy expression) of numbers to its scores

#include <xmask/xmask.hpp>

#include <xmask/layers.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}};
    const auto m = xmask::keep_all({1, 1});
#ifdef XMASK_COMPILE_OK
    return xmask::masked_attention(x, x, x, m, {.bias = xmask::additive<float>(m)}).size() == 2 ? 0
                                                                                                : 1;
#else
    xmask::masked_attention(x, x, x, m, {.bias = m});
    return 0;
#endif
}

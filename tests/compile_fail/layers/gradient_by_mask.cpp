// A mask is not learned: only a gate of real numbers has a gradient.
// expect: a mask has no gradient; only a gate of real numbers has

#include <xmask/xmask.hpp>

#include <xmask/layers.hpp>

int main() {
    const xt::xtensor<float, 2> x = {{1.0f, 2.0f}};
    xt::xtensor<float, 2> by_x, by_weight, by_gate;
    xt::xtensor<float, 1> by_bias;
    const auto m = xmask::keep_all({1, 2});
    const xt::xtensor<float, 2> upstream = {{1.0f}};
#ifdef XMASK_COMPILE_OK
    xmask::masked_linear_gradient(x, x, m, upstream, by_x, by_weight, by_bias);
    return by_x.size() == 2 ? 0 : 1;
#else
    xmask::masked_linear_gradient(x, x, m, upstream, by_x, by_weight, by_bias, by_gate);
    return 0;
#endif
}

// A scaled gradient is written, too.
// expect: xmask: the last argument of a loss, its gradient, is a tensor, of_mean(tensor) or scaled(tensor, factor), and is written

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
#ifdef XMASK_COMPILE_OK
    auto gradient = x;
    xmask::masked_mse(x, x, m, xmask::scaled(gradient, 2));
#else
    const auto gradient = x;
    xmask::masked_mse(x, x, m, xmask::scaled(gradient, 2));
#endif
    return m.size() == 6 ? 0 : 1;
}

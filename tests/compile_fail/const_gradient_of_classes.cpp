// The gradient of a cross entropy is written.
// expect: xmask: the last argument of a loss, its gradient, is a tensor, of_mean(tensor) or scaled(tensor, factor), and is written

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
    const xt::xtensor<int, 1> target = {1, 2};
#ifdef XMASK_COMPILE_OK
    auto gradient = x;
    xmask::masked_cross_entropy(x, target, xmask::keep_all(2), gradient);
#else
    const auto gradient = x;
    xmask::masked_cross_entropy(x, target, xmask::keep_all(2), gradient);
#endif
    return m.size() == 6 ? 0 : 1;
}

// A number in the place of the gradient.
// expect: the last argument of a loss, its gradient, is a tensor, of_mean(tensor) or scaled(tensor, factor)

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_huber(x, x, m, {.delta = 0.5});
#else
    const xmask::loss l = xmask::masked_huber(x, x, m, 0.5);
#endif
    return l.sum == 0.0 ? 0 : 1;
}

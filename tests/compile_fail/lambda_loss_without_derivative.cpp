// A gradient needs the derivative of a loss of lambdas.
// expect: xmask: a gradient needs the derivative of the loss: masked_loss(p, t, m, value, derivative, gradient).

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<double, 1> p = {1, 2, 3}, t = {1, 1, 1}, gradient;
    auto m = xmask::keep_lengths(xt::xtensor<int, 0>(2), 3);
    auto value = [](auto a, auto b) { return (a - b) * (a - b); };
#ifdef XMASK_COMPILE_OK
    auto derivative = [](auto a, auto b) { return 2 * (a - b); };
    xmask::masked_loss(p, t, m, value, derivative, gradient);
#else
    xmask::masked_loss(p, t, m, value, gradient);
#endif
    return m.size() == 3 ? 0 : 1;
}

// A lambda of auto is called with registers, which decide nothing.
// expect: xsimd::select(condition, a, b) in place of ?: and if; or write a lambda of double

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 1> p = {1, 2, 3}, t = {1, 1, 1};
    auto m = xmask::keep_all(3);
#ifdef XMASK_COMPILE_OK
    auto loss =
        xmask::masked_loss(p, t, m, [](double a, double b) { return a > b ? a - b : b - a; });
#else
    auto loss = xmask::masked_loss(p, t, m, [](auto a, auto b) { return a > b ? a - b : b - a; });
#endif
    return loss.count() == 3 ? 0 : 1;
}

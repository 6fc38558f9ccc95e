// A gradient needs the function's derivative.
// expect: the function of a loss is a struct with `value(p, t) const` and, for a gradient

#include <xmask/xmask.hpp>

struct difference {
    double value(double p, double t) const { return p - t; }
};

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_loss(difference(), x, x, m);
#else
    xt::xtensor<float, 1> gradient;
    const xmask::loss l = xmask::masked_loss(difference(), x, x, m, gradient);
#endif
    return l.sum == 0.0 ? 0 : 1;
}

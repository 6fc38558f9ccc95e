// A loss is a sum and a weight.
// expect: xmask: a loss is a sum and a weight; write l.mean() for their quotient, or l.sum()

#include <xmask/xmask.hpp>

int main() {
    auto m = xmask::keep_lengths({1, 2}, 3);
    xt::xtensor<float, 2> x = {{1.0f, 2.0f, 3.0f}, {4.0f, 5.0f, 6.0f}};
#ifdef XMASK_COMPILE_OK
    const double k = xmask::masked_mse(x, x, m).mean();
#else
    const double k = xmask::masked_mse(x, x, m);
#endif
    return k > 0.0 ? 1 : 0;
}

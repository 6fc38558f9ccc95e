// A mask in the place of the target would be a target of 0 and 1.
// expect: a loss takes tensors (or lazy expressions) of real numbers, and a target of any numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<float, 1> x = {1.0f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_mse(x, x, m);
#else
    const xmask::loss l = xmask::masked_mse(x, m, x);
#endif
    return l.sum == 0.0 ? 0 : 1;
}

// A loss of integers would be computed in integers; the user converts them.
// expect: a loss takes tensors (or lazy expressions) of real numbers

#include <xmask/xmask.hpp>

int main() {
    const xt::xtensor<int, 1> prediction = {1, 2};
    const xt::xtensor<float, 1> target = {1.0f, 2.0f};
    const auto m = xmask::keep_all({2});
#ifdef XMASK_COMPILE_OK
    const xmask::loss l = xmask::masked_mse(xt::cast<float>(prediction), target, m);
#else
    const xmask::loss l = xmask::masked_mse(prediction, target, m);
#endif
    return l.sum == 0.0 ? 0 : 1;
}

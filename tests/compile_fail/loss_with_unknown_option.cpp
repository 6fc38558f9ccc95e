// Other libraries have options that a loss does not have.
// expect: xmask: a loss takes a prediction, a target and a mask

#include <xmask/xmask.hpp>

int main() {
    xt::xtensor<float, 1> p = {1, 2, 3}, t = {1, 1, 1};
#ifdef XMASK_COMPILE_OK
    auto loss = xmask::masked_mse(p, t, xmask::keep_all(3));
#else
    auto loss = xmask::masked_mse(p, t, xmask::keep_all(3), {.reduction = "mean"});
#endif
    return loss.mean() > 0 ? 0 : 1;
}
